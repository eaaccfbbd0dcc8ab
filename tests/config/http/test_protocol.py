"""One connection, from its first byte to its end; what waits for a time waits no time at all."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from config.http.protocol import HEAD_WITHIN_S, REFUSED_HEAD_WITHIN_S, STALLED_S
from contracts.bodies import BODY_WITHIN_S
from tests.support.desk import BODY_MAX, GRACE_S, KEEP_ALIVE_S, Caller
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

GET = b"GET /a HTTP/1.1\r\nHost: desk\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: desk\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /c?x=%41 HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: t\r\n\r\n"
)
HANDSHAKE = (
    b"GET /socket?q HTTP/1.1\r\nHost: desk\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: WebSocket\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n\r\n"
)


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


@pytest.fixture
async def caller():
    return Caller()


def get(path):
    return b"GET %b HTTP/1.1\r\nHost: desk\r\n\r\n" % path


def post(path, body, length=None):
    size = len(body) if length is None else length
    return b"POST %b HTTP/1.1\r\nHost: desk\r\nContent-Length: %d\r\n\r\n%b" % (path, size, body)


class TestAnAnswer:
    async def test_is_one_piece_with_what_the_server_says(self, caller):
        await caller.hears(GET)
        assert caller.wire.sent == (
            b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: text/plain\r\n"
            b"content-length: 7\r\n\r\nGET /a "
        )

    async def test_follows_the_date(self, caller):
        caller.state.default_headers = [(b"date", b"tomorrow"), (b"x", b"y")]
        await caller.hears(GET)
        assert caller.answers[0].headers[b"date"] == b"tomorrow"
        assert caller.answers[0].headers[b"x"] == b"y"

    async def test_to_head_has_its_length_and_no_body(self, caller):
        assert await caller.hears(GET.replace(b"GET", b"HEAD")) == [200]
        assert caller.answers[0].headers[b"content-length"] == b"8"
        assert caller.wire.sent.endswith(b"\r\n\r\n")

    async def test_without_content_has_no_length(self, caller):
        assert await caller.hears(get(b"/nothing"), GET) == [204, 200]
        assert b"content-length" not in caller.answers[0].headers

    async def test_to_a_bug_is_a_canonical_500_and_the_connection_goes_on(self, caller, caplog):
        assert await caller.hears(get(b"/explode"), GET) == [500, 200]
        assert b'"INTERNAL_ERROR"' in caller.bodies[0]
        assert "KeyError" in caplog.text
        assert "wrote" not in caplog.text

    async def test_to_a_bug_before_the_body_is_one_too(self, caller, caplog):
        assert await caller.hears(get(b"/bug")) == [500]
        assert caller.wire.closing
        assert "KeyError" in caplog.text
        assert "wrote" not in caplog.text


class TestARequest:
    @pytest.mark.parametrize("at", range(1, len(POST + CHUNKED + GET)))
    async def test_may_come_in_any_pieces(self, caller, at):
        sent = POST + CHUNKED + GET
        assert await caller.hears(sent[:at], sent[at:]) == [200] * 3
        assert caller.bodies == [b"POST /b hello", b"POST /c hello", b"GET /a "]

    async def test_may_come_byte_by_byte(self, caller):
        sent = POST + CHUNKED + GET
        assert await caller.hears(*(sent[at : at + 1] for at in range(len(sent)))) == [200] * 3

    async def test_is_read_as_it_was_meant(self, caller):
        head = b"POST /%C3%A9/b?c=%41 HTTP/1.1\r\nHost: desk\r\nX-One: 1\r\nx-one: 2\r\n\r\n"
        await caller.hears(head)
        (request,) = caller.desk.asked
        assert (request.method, request.path, request.query) == ("POST", "/é/b", b"c=%41")
        assert request.headers == {b"host": b"desk", b"x-one": b"1,2"}
        assert request.client == "192.0.2.1"
        assert request.ends.scheme == "http"

    @pytest.mark.parametrize(
        ("target", "path", "query"),
        [
            (b"http://else/a?b", "/a", b"b"),
            (b"http://else", "/", b""),
            (b"/a?b?c", "/a", b"b?c"),
            (b"/a#b", "/a", b""),
            (b"//a/b", "//a/b", b""),
            (b"*", "*", b""),
        ],
    )
    async def test_may_name_its_target_in_several_ways(self, caller, target, path, query):
        await caller.hears(b"OPTIONS %b HTTP/1.1\r\nHost: desk\r\n\r\n" % target)
        assert [(one.path, one.query) for one in caller.desk.asked] == [(path, query)]

    async def test_has_no_trailers(self, caller):
        await caller.hears(CHUNKED)
        assert b"trailer" not in caller.desk.asked[0].headers

    @pytest.mark.parametrize("closing", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nConnection: close\r\n"])
    async def test_may_be_the_last(self, caller, closing):
        assert await caller.hears(GET.replace(b"HTTP/1.1\r\n", closing) + GET) == [200]
        assert caller.answers[0].headers[b"connection"] == b"close"
        assert caller.wire.closing


class TestABody:
    async def test_too_large_is_answered_before_it_is_whole(self, caller):
        body = b"x" * 1000
        assert await caller.hears(post(b"/b", body[:101], 1000)) == [413]
        assert await caller.hears(body[101:] + GET) == [413, 200]
        assert not caller.wire.closing

    async def test_as_large_as_may_be_is_not(self, caller):
        assert await caller.hears(post(b"/b", b"x" * BODY_MAX)) == [200]

    async def test_of_a_stranger_is_not_read(self, caller):
        assert await caller.hears(post(b"/stranger", b"", 50)) == [200]
        assert await caller.hears(b"x" * 50 + GET) == [200, 200]
        assert [request.body for request in caller.desk.asked] == [b"", b""]

    async def test_is_asked_for_when_the_caller_waits(self, caller):
        head, _, body = POST.partition(b"\r\n\r\n")
        caller.says(head + b"\r\nExpect: 100-Continue\r\n\r\n")
        assert caller.wire.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert await caller.hears(body) == [200]

    async def test_of_a_stranger_is_not_asked_for(self, caller):
        head = post(b"/stranger", b"", 50).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        assert await caller.hears(head) == [200]
        assert b"100 Continue" not in caller.wire.sent
        assert caller.wire.closing  # who knows whether it comes now

    async def test_is_not_asked_for_of_who_speaks_an_older_protocol(self, caller):
        old = POST.replace(b"/1.1", b"/1.0").replace(
            b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"
        )
        assert await caller.hears(old) == [200]
        assert b"100 Continue" not in caller.wire.sent

    async def test_whose_caller_goes_away_was_asked_for_nothing(self, caller):
        await caller.hears(POST[:-1])
        caller.protocol.connection_lost(None)
        assert not caller.desk.asked
        assert not caller.state.connections

    async def test_of_tiny_chunks_is_not_read_for_ever(self, caller):
        head = b"POST /b HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"1;" + b"x" * 8000 + b"\r\nx\r\n"
        assert await caller.hears(head, *[chunk] * 10) == [413]
        assert caller.wire.closing

    async def test_that_nobody_wants_is_not_read_for_ever(self, caller):
        size = 10_000_000
        assert await caller.hears(post(b"/b", b"x" * 200, size)) == [413]
        assert await caller.hears(*[b"x" * 16_384] * 200) == [413]
        assert caller.wire.closing

    @pytest.mark.parametrize("path", [b"/b", b"/stranger"])
    async def test_that_breaks_after_its_answer_has_no_second_one(self, caller, path):
        head = b"POST %b HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n" % path
        answered = await caller.hears(head + b"65\r\n%b\r\n" % (b"x" * 0x65))
        assert len(answered) == 1
        assert not caller.wire.closing
        assert await caller.hears(b"no length\r\n" + GET) == answered
        assert caller.wire.closing

    async def test_that_breaks_before_its_answer_has_that_one(self, caller):
        head = b"POST /later HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n"
        await caller.hears(head + b"65\r\n%b\r\n" % (b"x" * 0x65), b"no length\r\n")
        assert not caller.wire.closing
        caller.desk.tell()
        assert await caller.hears() == [413]
        assert caller.answers[0].headers[b"connection"] == b"close"
        assert caller.wire.closing

    async def test_that_comes_all_at_once_lets_others_have_their_turn(self, caller):
        caller.says(post(b"/b", b"x" * 100_000))
        assert not caller.wire.reads
        assert await caller.hears(GET) == [413, 200]
        assert caller.wire.reads

    async def test_whose_caller_goes_away_meanwhile_is_not_read_on(self, caller):
        caller.says(post(b"/b", b"x" * 100_000))
        caller.wire.close()
        assert await caller.hears() == []
        assert not caller.state.connections


class TestPipelined:
    async def test_requests_are_answered_in_their_order(self, caller):
        assert await caller.hears(get(b"/later/1") + get(b"/2") + get(b"/later/3")) == []
        assert [one.path for one in caller.desk.asked] == ["/later/1"]
        assert not caller.wire.reads
        caller.desk.tell()
        assert await caller.hears() == [200, 200]
        caller.desk.tell()
        assert await caller.hears() == [200] * 3
        assert caller.bodies == [b"GET /later/1 ", b"GET /2 ", b"GET /later/3 "]
        assert caller.wire.reads

    async def test_rubbish_is_refused_after_what_was_asked_before_it(self, caller):
        assert await caller.hears(get(b"/later") + GET + b"rubbish\r\n\r\n" + GET) == []
        caller.desk.tell()
        assert await caller.hears() == [200, 200, 400]
        assert caller.wire.closing

    async def test_thousands_wait_as_bytes(self, caller):
        many = 5000
        assert await caller.hears(get(b"/later") + GET * many) == []
        assert len(caller.protocol._waiting) < 1000
        caller.desk.tell()
        while caller.wire.sent.count(b"HTTP/1.1 200") <= many:  # noqa: ASYNC110  (no event comes)
            await asyncio.sleep(0)
        assert len(caller.answers) == many + 1
        assert caller.wire.reads

    async def test_half_a_request_has_its_time(self, caller):
        await caller.hears(get(b"/later") + GET[:-5])
        await asyncio.sleep(HEAD_WITHIN_S + 1)
        caller.desk.tell()
        assert await caller.hears() == [200]
        assert caller.wire.closing


class TestWhoeverSendsNothingMore:
    """The caller has ended its half of the connection, and waits for what it asked."""

    @pytest.mark.parametrize("sent", [GET, POST, CHUNKED])
    async def test_is_answered(self, caller, sent):
        caller.says(sent)
        caller.ends_its_half()
        assert await caller.hears() == [200]
        assert caller.answers[0].headers[b"connection"] == b"close"
        assert caller.wire.closing
        assert not caller.state.connections

    async def test_is_answered_when_the_answer_is_ready(self, caller):
        await caller.hears(get(b"/later"))
        caller.ends_its_half()
        await asyncio.sleep(100)
        assert not caller.wire.closing
        caller.desk.tell()
        assert await caller.hears() == [200]
        assert caller.wire.closing

    async def test_is_answered_all_it_asked(self, caller):
        await caller.hears(get(b"/later") + POST + CHUNKED + GET)
        caller.ends_its_half()
        caller.desk.tell()
        assert await caller.hears() == [200] * 4
        assert [b"connection" in one.headers for one in caller.answers] == [False] * 3 + [True]
        assert caller.wire.closing

    async def test_is_answered_what_waits_as_bytes(self, caller):
        many = 5000
        assert await caller.hears(get(b"/later") + GET * many) == []
        caller.ends_its_half()
        caller.desk.tell()
        while not caller.wire.closing:
            await caller.hears()
        assert [one.status for one in caller.answers] == [200] * (many + 1)

    async def test_is_answered_when_it_reads_again(self, caller):
        await caller.hears(get(b"/later") + GET)
        caller.protocol.pause_writing()
        caller.ends_its_half()
        caller.desk.tell()
        assert await caller.hears() == [200]
        caller.protocol.resume_writing()
        assert await caller.hears() == [200, 200]
        assert caller.wire.closing

    @pytest.mark.parametrize("half", [b"", b"\r\n", GET[:-1], POST[:-1], CHUNKED[:-1]])
    async def test_in_the_middle_of_a_request_is_hung_up_on(self, caller, half):
        caller.says(half)
        caller.ends_its_half()
        assert await caller.hears() == []
        assert caller.wire.closing
        assert not caller.state.connections

    @pytest.mark.parametrize("half", [GET[:-1], POST[:-1], CHUNKED[:-1]])
    async def test_in_the_middle_of_a_second_request_is_answered_the_first(self, caller, half):
        await caller.hears(get(b"/later") + half)
        caller.ends_its_half()
        caller.desk.tell()
        assert await caller.hears() == [200]
        assert caller.wire.closing

    async def test_is_told_what_is_no_request(self, caller):
        await caller.hears(get(b"/later") + b"rubbish\r\n\r\n")
        caller.ends_its_half()
        caller.desk.tell()
        assert await caller.hears() == [200, 400]

    async def test_is_not_listened_to_again(self, caller):
        """At its end a stream tells it again as often as it is read."""
        await caller.hears(get(b"/later"))
        caller.ends_its_half()
        caller.protocol.pause_writing()
        caller.protocol.resume_writing()
        assert not caller.wire.reads

    async def test_keeps_no_memory_when_it_reads_nothing(self, caller):
        caller.wire.unsent = 100_000
        await caller.hears(GET)
        caller.ends_its_half()
        await asyncio.sleep(STALLED_S + 1)
        assert caller.wire.aborted
        assert not caller.state.connections

    async def test_over_tls_is_closed_as_ever(self):
        """There a transport that is kept open can't be written to."""
        caller = Caller(secure=True)
        await caller.hears(get(b"/later"))
        assert caller.protocol.eof_received() is False


class TestARefusalOfTheProtocol:
    """Pages may read it, so the service has to know which page asked."""

    ORIGIN = b"Origin: https://a.example\r\n"

    def marked(self, caller):
        return caller.answers[-1].headers[b"x-origin"] == b"https://a.example"

    @pytest.mark.parametrize(
        ("raw", "status"),
        [
            (b"GET / HTTP/1.1\r\n" + ORIGIN + b"Host: a\r\nHost: b\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\n" + ORIGIN + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nA: " + b"x" * 40_000 + b"\r\n" + ORIGIN + b"\r\n", 431),
            (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n" + ORIGIN + b"\r\n", 431),
            (CHUNKED.replace(b"Host", ORIGIN + b"Host").replace(b"3\r\nhel", b"x\r\nhel"), 400),
            (get(b"/bug").replace(b"Host", ORIGIN + b"Host"), 500),
            (get(b"/explode").replace(b"Host", ORIGIN + b"Host"), 500),
        ],
    )
    async def test_names_it(self, caller, raw, status):
        assert await caller.hears(raw) == [status]
        assert self.marked(caller)

    async def test_of_a_body_that_does_not_come_too(self, caller):
        caller.says(POST[:-1].replace(b"Host", self.ORIGIN + b"Host"))
        await asyncio.sleep(BODY_WITHIN_S + 0.1)
        assert await caller.hears() == [400]
        assert self.marked(caller)

    async def test_of_what_follows_a_request_is_not_for_the_page_that_sent_that(self, caller):
        sent = GET.replace(b"Host", self.ORIGIN + b"Host") + b"\0"
        assert await caller.hears(sent) == [200, 400]
        assert not self.marked(caller)

    @pytest.mark.parametrize(
        "head",
        [
            b"GET / HTTP/1.1\r\nA: " + b"x" * 40_000,
            b"GET / HTTP/1.1\r\n" + b"".join(b"a%d: x\r\n" % n for n in range(200)),
        ],
        ids=["long", "of many lines"],
    )
    async def test_of_a_head_that_does_not_end_waits_a_second(self, caller, head):
        assert await caller.hears(head) == []
        await asyncio.sleep(REFUSED_HEAD_WITHIN_S + 0.1)
        assert await caller.hears() == [431]
        assert caller.wire.closing

    async def test_of_a_head_has_a_limit_as_well(self, caller):
        assert await caller.hears(b"GET /" + b"x" * 100_000) == [431]
        assert caller.wire.closing


class TestTime:
    @pytest.mark.parametrize("begun", [b"", b"G", GET[:-1], b"\r\n\r\n"])
    async def test_a_head_that_does_not_come_is_waited_for_ten_seconds(self, caller, begun):
        caller.says(begun)
        await asyncio.sleep(HEAD_WITHIN_S - 0.1)
        assert not caller.wire.closing
        await asyncio.sleep(0.2)
        assert caller.wire.closing
        assert not caller.wire.sent
        assert not caller.state.connections

    async def test_a_head_that_trickles_is_waited_for_as_long(self, caller):
        for at in range(11):
            caller.says(GET[at : at + 1])
            await asyncio.sleep(1)
        assert caller.wire.closing

    async def test_a_body_that_trickles_is_waited_for_ten_seconds(self, caller):
        caller.says(POST[:-5])
        for at in range(4):
            caller.says(POST[at - 5 : at - 4])
            await asyncio.sleep(BODY_WITHIN_S / 4 + 0.1)
        assert await caller.hears() == [400]
        assert b"did not come in time" in caller.bodies[0]
        assert caller.wire.closing
        assert not caller.desk.asked

    async def test_the_rest_of_an_answered_body_too(self, caller):
        await caller.hears(post(b"/b", b"x" * 101, 1000))
        await asyncio.sleep(9.9)
        assert not caller.wire.closing
        await asyncio.sleep(0.2)
        assert caller.wire.closing
        assert [one.status for one in caller.answers] == [413]

    async def test_after_the_rest_a_connection_is_kept_as_ever(self, caller):
        await caller.hears(post(b"/b", b"x" * 101, 200))
        await caller.hears(b"x" * 99)
        await asyncio.sleep(KEEP_ALIVE_S - 0.1)
        assert not caller.wire.closing
        await asyncio.sleep(0.2)
        assert caller.wire.closing

    async def test_after_the_rest_the_next_answer_may_take_its_time(self, caller):
        await caller.hears(post(b"/b", b"x" * 101, 200))
        await caller.hears(b"x" * 99 + get(b"/later"))
        await asyncio.sleep(100)
        caller.desk.tell()
        assert await caller.hears() == [413, 200]
        assert not caller.wire.closing

    async def test_a_connection_is_kept_for_a_while(self, caller):
        for _ in range(5):
            await caller.hears(GET)
            await asyncio.sleep(KEEP_ALIVE_S - 0.1)
        assert not caller.wire.closing
        await asyncio.sleep(0.2)
        assert caller.wire.closing

    async def test_an_answer_may_take_its_time(self, caller):
        caller.says(get(b"/later"))
        await asyncio.sleep(100)
        assert not caller.wire.closing
        caller.desk.tell()
        assert await caller.hears() == [200]
        await asyncio.sleep(KEEP_ALIVE_S + 0.1)
        assert caller.wire.closing


class TestWhoeverReadsSlowly:
    async def test_is_not_heard_until_it_has_read(self, caller):
        caller.wire.unsent = 100_000
        caller.protocol.pause_writing()
        assert not caller.wire.reads
        caller.wire.unsent = 0
        caller.protocol.resume_writing()
        assert caller.wire.reads
        assert await caller.hears(GET) == [200]

    async def test_waits_with_what_it_asked_meanwhile(self, caller):
        await caller.hears(get(b"/later") + GET)
        caller.protocol.pause_writing()
        caller.desk.tell()
        assert await caller.hears() == [200]
        caller.protocol.resume_writing()
        assert await caller.hears() == [200, 200]

    async def test_is_not_taken_for_idle(self, caller):
        """Found over real sockets: answers that waited for a slow reader were dropped."""
        await caller.hears(get(b"/later") + GET)
        caller.protocol.pause_writing()
        caller.desk.tell()
        await caller.hears()
        await asyncio.sleep(KEEP_ALIVE_S + 1)
        caller.protocol.resume_writing()
        assert await caller.hears() == [200, 200]

    async def test_is_given_up_when_it_takes_nothing_more(self, caller):
        caller.wire.unsent = 100_000
        caller.protocol.pause_writing()
        await asyncio.sleep(STALLED_S - 1)
        caller.wire.unsent = 90_000
        await asyncio.sleep(STALLED_S)
        assert not caller.wire.aborted
        await asyncio.sleep(STALLED_S)
        assert caller.wire.aborted

    async def test_keeps_no_closed_connection(self, caller):
        caller.wire.unsent = 100_000
        await caller.hears(b"rubbish\r\n\r\n")
        assert caller.state.connections
        await asyncio.sleep(STALLED_S + 1)
        assert caller.wire.aborted
        assert not caller.state.connections


class TestTheEndOfTheServer:
    async def test_closes_what_is_idle(self, caller):
        await caller.hears(GET)
        caller.protocol.shutdown()
        await caller.hears()
        assert caller.wire.closing
        assert not caller.state.connections

    async def test_waits_for_what_is_asked(self, caller):
        await caller.hears(get(b"/later/1") + get(b"/2"))
        caller.protocol.shutdown()
        assert await caller.hears(GET) == []
        assert caller.state.tasks
        caller.desk.tell()
        assert await caller.hears() == [200, 200]
        assert caller.wire.closing
        assert caller.answers[1].headers[b"connection"] == b"close"
        assert not caller.state.tasks
        assert not caller.state.connections

    async def test_waits_for_a_body_that_is_on_the_way(self, caller):
        await caller.hears(POST[:-1])
        caller.protocol.shutdown()
        assert await caller.hears(POST[-1:] + GET) == [200]
        assert caller.wire.closing

    @pytest.mark.parametrize("sent", [POST[:-1], CHUNKED[:-1]])
    async def test_waits_for_a_body_no_longer_than_the_server_does(self, caller, sent):
        await caller.hears(sent)
        caller.protocol.shutdown()
        await asyncio.sleep(GRACE_S / 2)
        assert await caller.hears() == [400]
        assert not caller.state.connections

    async def test_waits_no_longer_for_who_reads_nothing(self, caller):
        caller.wire.unsent = 100_000
        await caller.hears(get(b"/later"))
        caller.protocol.shutdown()
        caller.desk.tell()
        assert await caller.hears() == [200]
        assert caller.state.connections
        caller.wire.unsent -= 1
        await asyncio.sleep(GRACE_S / 2)
        assert caller.wire.aborted
        assert not caller.state.connections

    async def test_may_lose_patience(self, caller):
        await caller.hears(get(b"/later"))
        for task in caller.state.tasks:
            task.cancel()
        assert await caller.hears() == []
        assert caller.wire.closing
        assert not caller.state.tasks

    async def test_counts_what_was_answered(self, caller):
        await caller.hears(GET, GET, b"rubbish\r\n\r\n")
        assert caller.state.total_requests == 3


class TestWhoeverIsGone:
    async def test_hears_nothing_and_had_its_wish(self, caller):
        await caller.hears(get(b"/later"))
        caller.wire.close()
        await caller.hears()
        assert not caller.state.connections
        caller.desk.tell()
        assert await caller.hears() == []
        assert not caller.state.tasks


class SocketProtocol(asyncio.Protocol):
    """What comes after a handshake."""

    def __init__(self, config, server_state, app_state):
        self.heard = b""

    def data_received(self, data):
        self.heard += data


class TestAWebSocket:
    @pytest.fixture
    async def caller(self):
        return Caller(sockets=SocketProtocol)

    @pytest.mark.parametrize("at", [1, 30, len(HANDSHAKE) - 1, len(HANDSHAKE)])
    async def test_is_handed_over_with_all_that_came(self, caller, at):
        sent = HANDSHAKE + b"a frame"
        assert await caller.hears(GET) == [200]
        await caller.hears(sent[:at], sent[at:])
        assert isinstance(caller.wire.protocol, SocketProtocol)
        head, _, rest = caller.wire.protocol.heard.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        assert line == b"GET /socket?q HTTP/1.1"
        assert b"sec-websocket-protocol: a,b" in headers
        assert rest == b"a frame"
        assert not caller.state.connections  # it puts itself there
        await asyncio.sleep(100)
        assert not caller.wire.closing

    async def test_may_send_much_with_its_handshake(self, caller):
        await caller.hears(HANDSHAKE + b"x" * 100_000)
        assert caller.wire.protocol.heard.endswith(b"\r\n\r\n" + b"x" * 100_000)
        assert caller.wire.reads

    async def test_does_not_begin_behind_a_request_that_waits(self, caller):
        await caller.hears(get(b"/later") + HANDSHAKE)
        caller.desk.tell()
        assert await caller.hears() == [200, 400]
        assert caller.wire.closing

    async def test_does_not_begin_while_its_caller_reads_nothing(self, caller):
        """It would not know, and fill memory with frames."""
        caller.wire.unsent = 100_000
        caller.protocol.pause_writing()
        assert await caller.hears(HANDSHAKE) == [400]
        assert caller.wire.closing

    async def test_does_not_begin_in_an_older_protocol(self, caller):
        assert await caller.hears(HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0")) == [200]
        assert caller.wire.closing

    @pytest.mark.parametrize(
        ("target", "origin_form"),
        [(b"http://else/socket?q", b"/socket?q"), (b"http://else", b"/"), (b"/a%20b", b"/a%20b")],
    )
    async def test_is_at_a_path_however_its_target_is_named(self, caller, target, origin_form):
        await caller.hears(HANDSHAKE.replace(b"/socket?q", target))
        assert caller.wire.protocol.heard.startswith(b"GET %b HTTP/1.1\r\n" % origin_form)

    @pytest.mark.parametrize("other", [b"h2c", b"websocket, h2c"])
    async def test_is_asked_for_by_its_name(self, caller, other):
        upgrade = HANDSHAKE.replace(b"WebSocket", other, 1)
        assert await caller.hears(upgrade + GET) == [200, 200]

    async def test_has_no_place_where_there_are_none(self):
        caller = Caller()
        assert await caller.hears(HANDSHAKE + GET) == [200, 200]
        assert caller.desk.asked[0].path == "/socket"
        assert not caller.wire.closing

    @pytest.mark.parametrize("sockets", [None, SocketProtocol])
    @pytest.mark.parametrize("at", [1, 40, 100, 150])
    async def test_is_not_opened_by_a_request_with_a_body(self, sockets, at):
        caller = Caller(sockets=sockets)
        sent = HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello")
        assert await caller.hears(sent[:at], sent[at:] + GET) == [200, 200]
        assert caller.bodies == [b"GET /socket hello", b"GET /a "]


class TestItsEnd:
    @pytest.mark.parametrize("last", [GET, GET[:20], b"nonsense\r\n\r\n"])
    async def test_leaves_no_garbage(self, caller, last):
        """What a connection was made of dies of its last reference; nothing is to be collected."""
        gc.collect()
        gc.disable()
        try:
            await caller.hears(GET, last)
            remains = weakref.ref(caller.protocol)
            if not caller.wire.closing:
                caller.wire.abort()
            await caller.hears()
            del caller.protocol, caller.wire.protocol  # as a transport of a loop's lets go
            assert remains() is None
        finally:
            gc.enable()
