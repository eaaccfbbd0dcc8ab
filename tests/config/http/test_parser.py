"""What is no request, or could be read as two: refused before anybody is asked."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.http.parser import (
    FRAMING_MAX_BYTES,
    HEAD_MAX_BYTES,
    HEAD_READ_MAX_BYTES,
    HEADERS_MAX,
    PIECE_BYTES,
    RequestParser,
)
from contracts.errors import RoomError
from contracts.exchange import Ends

ENDS = Ends(None, None, "http")
START = b"POST / HTTP/1.1\r\nHost: desk\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


class Reading:
    """A parser, and the requests that it found."""

    def __init__(self, *, sockets=True, body_max=1000):
        self.found: list[Any] = []
        self.parser = RequestParser(ENDS, lambda _: body_max, self.found.append, sockets=sockets)

    def feed(self, data, piece=PIECE_BYTES):
        for at in range(0, len(data), piece):
            self.parser.feed(data[at : at + piece])
        return self

    def refused(self, data, piece=PIECE_BYTES):
        with pytest.raises(RoomError) as caught:
            self.feed(data, piece)
        assert self.found == []
        return caught.value.status


def headers(*lines):
    return START + b"".join(b"%b\r\n" % line for line in lines) + b"\r\n"


TWO_WAYS = {
    "a length and chunks": headers(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
    "chunks and a length": headers(b"Transfer-Encoding: chunked", b"Content-Length: 3"),
    "two lengths": headers(b"Content-Length: 1", b"Content-Length: 2") + b"x",
    "one length twice": headers(b"Content-Length: 1", b"Content-Length: 1") + b"x",
    "a list of lengths": headers(b"Content-Length: 1, 1") + b"x",
    "a signed length": headers(b"Content-Length: +1") + b"x",
    "a negative length": headers(b"Content-Length: -1") + b"x",
    "a hexadecimal length": headers(b"Content-Length: 0x1") + b"x",
    "an empty length": headers(b"Content-Length: ") + b"x",
    "a length beyond 2**64": headers(b"Content-Length: 99999999999999999999999"),
    "a length with a space": headers(b"Content-Length: 1 1") + b"x",
    "a coding nobody undoes": headers(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "chunks that are not the last coding": headers(b"Transfer-Encoding: chunked, gzip"),
    "identity": headers(b"Transfer-Encoding: identity"),
    "something like chunked": headers(b"Transfer-Encoding: xchunked"),
    "chunked twice": headers(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked and another": headers(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "two hosts": headers(b"Host: other"),
    "a folded line": headers(b"A: b", b" c"),
    "a bare line feed after the request line": START.replace(b"\r\n", b"\n", 1) + b"\r\n",
    "a bare line feed after a header": START + b"A: b\nC: d\r\n\r\n",
    "a bare line feed at the end": START + b"A: b\r\n\n",
    "a bare carriage return": START + b"A: b\rC: d\r\n\r\n",
    "a space before the colon": headers(b"Content-Length : 1"),
    "a space before a header": START.replace(b"\r\nHost", b"\r\n Host") + b"\r\n",
    "a zero byte": headers(b"A: b\0"),
    "no name": headers(b": b"),
    "no colon": headers(b"Content-Length"),
    "a space in the target": START.replace(b"/ ", b"/a b ") + b"\r\n",
    "a control character in the target": START.replace(b"/ ", b"/a\x01 ") + b"\r\n",
    "a target beyond ASCII": START.replace(b"/ ", b"/\xff ") + b"\r\n",
    "no version": b"GET /\r\n\r\n",
    "version 1.2": START.replace(b"1.1", b"1.2") + b"\r\n",
    "version 2": START.replace(b"1.1", b"2.0") + b"\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method of nobody's": START.replace(b"POST", b"STEAL") + b"\r\n",
    "a method in lower case": START.replace(b"POST", b"post") + b"\r\n",
    "a tunnel": b"CONNECT desk:443 HTTP/1.1\r\nHost: desk\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "a chunk's size that is negative": CHUNKED + b"-1\r\nx\r\n0\r\n\r\n",
    "a chunk's size beyond 2**64": CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n",
    "a chunk's size with a space": CHUNKED + b"1 \r\nx\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"1\r\nxy\r\n0\r\n\r\n",
    "bare line feeds between chunks": CHUNKED + b"1\nx\n0\n\n",
}


@pytest.mark.parametrize("piece", [1, 7, PIECE_BYTES])
@pytest.mark.parametrize("raw", TWO_WAYS.values(), ids=TWO_WAYS)
def test_what_could_be_read_in_two_ways_is_not_read(raw, piece):
    assert Reading().refused(raw, piece) == 400


@pytest.mark.parametrize("value", [b"chunked", b"Chunked"])
def test_a_length_may_be_left_open_by_chunks_alone(value):
    reading = Reading().feed(headers(b"Transfer-Encoding: " + value) + b"1\r\nx\r\n0\r\n\r\n")
    assert [one.body for one in reading.found] == [b"x"]


def test_chunks_in_an_older_protocol_end_the_connection():
    reading = Reading().feed(CHUNKED.replace(b"1.1", b"1.0") + b"1\r\nx\r\n0\r\n\r\n")
    assert [one.keep_alive for one in reading.found] == [False]


class TestAHead:
    @pytest.mark.parametrize("piece", [1000, PIECE_BYTES])
    def test_without_end_is_refused(self, piece):
        assert Reading().refused(START + b"A: " + b"x" * 2 * HEAD_READ_MAX_BYTES, piece) == 431
        assert Reading().refused(b"GET /" + b"x" * 2 * HEAD_READ_MAX_BYTES, piece) == 431

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /" + b"x" * 3 * HEAD_MAX_BYTES + b" HTTP/1.1\r\n",
            START + b"A: " + b"x" * 3 * HEAD_MAX_BYTES + b"\r\n",
            START + b"".join(b"a%d: x\r\n" % number for number in range(HEADERS_MAX + 1)),
        ],
        ids=["a target", "a header", "headers"],
    )
    def test_too_large_is_read_on_to_learn_which_page_asks(self, head):
        reading = Reading()
        reading.feed(head)
        assert reading.parser.head_too_large
        assert reading.refused(b"Origin: https://a.example\r\nB: c\r\n\r\n") == 431
        assert reading.parser.headers[b"origin"] == b"https://a.example"
        assert b"b" not in reading.parser.headers or len(reading.parser.headers) < HEADERS_MAX

    def test_of_sixteen_kilobytes_is_read(self):
        head = headers(b"A: " + b"x" * (HEAD_MAX_BYTES - len(headers(b"A: "))))
        for piece in (100, 5000, PIECE_BYTES):
            (request,) = Reading().feed(head, piece).found
            assert len(request.headers[b"a"]) > HEAD_MAX_BYTES - 100

    def test_has_a_hundred_lines_at_most(self):
        lines = [b"a%d: x" % number for number in range(HEADERS_MAX)]
        assert Reading().refused(headers(*lines)) == 431
        assert len(Reading().feed(headers(*lines[1:])).found) == 1

    def test_has_no_more_even_while_it_lasts(self):
        lines = b"".join(b"a%d: x\r\n" % number for number in range(10 * HEADERS_MAX))
        reading = Reading().feed(START + lines)
        assert reading.parser.head_too_large
        assert len(reading.parser.headers) == HEADERS_MAX

    def test_says_nothing_a_hundred_times(self):
        assert Reading().refused(headers(*[b"a: x"] * (HEADERS_MAX + 2))) == 400


class TestABodyOfChunks:
    TINY = b"1\r\nx\r\n"

    def test_has_room_for_their_lengths(self):
        count = FRAMING_MAX_BYTES // len(self.TINY) // 2
        (request,) = Reading(body_max=count).feed(CHUNKED + self.TINY * count + b"0\r\n\r\n").found
        assert request.body == b"x" * count

    def test_has_no_room_for_more_lengths_than_that_however_long_it_may_be(self):
        count = FRAMING_MAX_BYTES // len(self.TINY) * 2
        assert Reading(body_max=3_000_000).refused(CHUNKED + self.TINY * count) == 413

    def test_costs_what_came_and_not_what_was_there_before(self):
        """Found by a reviewer: each chunk had the whole body copied."""
        size, count = 2_500_000, FRAMING_MAX_BYTES // len(self.TINY)
        reading = Reading(body_max=3_000_000)
        reading.feed(CHUNKED + b"%x\r\n%b\r\n" % (size, b"x" * size))
        before = time.process_time()
        reading.feed(self.TINY * count + b"0\r\n\r\n")
        assert time.process_time() - before < 0.5
        assert len(reading.found[0].body) == size + count

    @pytest.mark.parametrize("lines", [b"Host: a\r\n" * 2, b"a: b\r\n" * 2 * HEADERS_MAX])
    def test_may_end_with_lines_that_nobody_keeps(self, lines):
        (request,) = Reading().feed(CHUNKED + b"0\r\n" + lines + b"\r\n").found
        assert request.headers.keys() == {b"host", b"transfer-encoding"}


PIPELINED = (
    b"GET /a?b HTTP/1.1\r\nHost: desk\r\n\r\n"
    b"POST /b HTTP/1.1\r\nHost: desk\r\nContent-Length: 3\r\n\r\nabc"
    b"\r\n"  # which RFC 9112, 2.2, has us pass over
    b"POST /c HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
    b"HEAD / HTTP/1.1\r\nHost: desk\r\n\r\n"
)


@given(st.lists(st.integers(1, len(PIPELINED) - 1)))
def test_requests_are_the_same_however_they_come(cuts):
    reading, at = Reading(), 0
    for cut in [*sorted(cuts), len(PIPELINED)]:
        reading.feed(PIPELINED[at:cut])
        at = max(at, cut)
    found = [(one.method, one.path, one.query, one.body) for one in reading.found]
    assert found == [
        ("GET", "/a", b"b", b""),
        ("POST", "/b", b"", b"abc"),
        ("POST", "/c", b"", b"ab"),
        ("HEAD", "/", b"", b""),
    ]
    assert not reading.parser.begun


@given(st.binary(max_size=200), st.integers(0, 200))
def test_whatever_comes_is_a_request_or_a_refusal(rubbish, at):
    """Never a bug: that would be a 500."""
    raw = PIPELINED[:at] + rubbish
    with suppress(RoomError):
        Reading(sockets=False).feed(raw)


def test_a_bug_in_routing_is_a_500_and_not_the_callers_fault(caplog):
    def explode(_):
        raise KeyError("what a caller wrote")

    found: list[Any] = []
    parser = RequestParser(ENDS, explode, found.append, sockets=False)
    with pytest.raises(RoomError) as caught:
        parser.feed(START + b"\r\n")
    assert caught.value.status == 500
    assert "wrote" not in caplog.text


UPGRADE = b"GET /a HTTP/1.1\r\nHost: desk\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n", b"Content-Length: 00\r\n"])
def test_a_handshake_may_say_that_it_has_no_body(length):
    reading = Reading().feed(UPGRADE + length + b"\r\n")
    assert reading.parser.upgrade is not None
    assert reading.found == []


OFFERS = [b"h2c", b"websocket", b"TLS/1.0", b"foo", b"h2c, websocket", b"h2c\r\nUpgrade: foo"]
BODIES = {
    "a length": (b"Content-Length: 5\r\n", b"hello", b"hello"),
    "chunks": (b"Transfer-Encoding: chunked\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
    "no body": (b"", b"", b""),
    "a length of nothing": (b"Content-Length: 0\r\n", b"", b""),
}


class TestAnUpgradeThatIsNotTaken:
    """Found with curl --http2: behind an offer httptools read no body."""

    @pytest.mark.parametrize("piece", [1, 7, PIECE_BYTES])
    @pytest.mark.parametrize("offer", OFFERS)
    @pytest.mark.parametrize(("framing", "sent", "body"), BODIES.values(), ids=BODIES)
    def test_is_as_if_it_had_not_been_offered(self, piece, offer, framing, sent, body):
        head = headers(b"Connection: Upgrade, X", b"Upgrade: " + offer, b"X: 1")
        raw = head.replace(b"X: 1\r\n", b"X: 1\r\n" + framing) + sent
        one, other, last = Reading().feed(raw + raw + PIPELINED[:36], piece).found
        for request in (one, other):
            assert (request.method, request.body, request.keep_alive) == ("POST", body, True)
            assert request.header(b"x") == b"1"
            assert not request.header(b"upgrade")
        assert (last.path, last.query) == ("/a", b"b")

    def test_leaves_the_target_and_its_repeated_headers_as_they_were(self):
        raw = headers(
            b"Connection: Upgrade", b"Upgrade: h2c", b"A: 1", b"a: 2", b"Cookie: b", b"Cookie: c"
        )
        (request,) = Reading().feed(raw.replace(b"POST /", b"GET http://else/%41?b=%42")).found
        assert (request.target, request.path, request.query) == (b"/%41?b=%42", "/A", b"b=%42")
        assert request.headers == {
            b"host": b"desk",
            b"connection": b"Upgrade",
            b"a": b"1,2",
            b"cookie": b"b; c",
        }

    def test_may_be_in_the_last_request(self):
        head = headers(b"Connection: close, Upgrade", b"Upgrade: h2c", b"Content-Length: 1")
        (request,) = Reading().feed(head + b"x").found
        assert (request.body, request.keep_alive) == (b"x", False)

    def test_is_nothing_in_an_older_protocol(self):
        head = headers(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 1")
        (request,) = Reading().feed(head.replace(b"1.1", b"1.0") + b"x").found
        assert (request.body, request.keep_alive) == (b"x", False)

    def test_waits_to_be_asked_for_its_body(self):
        lines = [b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 1"]
        reading = Reading().feed(headers(*lines, b"Expect: 100-continue"))
        assert reading.parser.awaited.expects
        assert reading.feed(b"x").found[0].body == b"x"

    def test_has_the_bounds_of_any_other(self):
        lines = [b"Connection: Upgrade", b"Upgrade: h2c"]
        (request,) = (
            Reading(body_max=10).feed(headers(*lines, b"Content-Length: 11") + b"x" * 11).found
        )
        assert len(request.body) == 11
        chunked = headers(*lines, b"Transfer-Encoding: chunked")
        assert (
            Reading().refused(chunked + b"1;" + b"x" * FRAMING_MAX_BYTES + b"\r\nx\r\n" * 2) >= 400
        )
        many = [b"a%d: x" % number for number in range(HEADERS_MAX)]
        assert Reading().refused(headers(*lines, *many)) == 431

    @pytest.mark.parametrize("piece", [1, 7, PIECE_BYTES])
    @pytest.mark.parametrize("raw", TWO_WAYS.values(), ids=TWO_WAYS)
    def test_opens_no_way_to_be_read_in_two_ways(self, raw, piece):
        offering = raw.replace(b"\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", 1)
        assert Reading().refused(offering, piece) == 400

    def test_does_not_nest_however_often_it_is_offered(self):
        raw = b"GET / HTTP/1.1\r\nHost:a\r\nConnection:upgrade\r\nUpgrade:a\r\n\r\n"
        count = PIECE_BYTES // len(raw)
        assert len(Reading().feed(raw * count).found) == count


def test_only_get_opens_a_websocket():
    reading = Reading().feed(UPGRADE.replace(b"GET", b"POST") + b"\r\n")
    assert reading.parser.upgrade is None
    assert [request.method for request in reading.found] == ["POST"]


def test_cookies_in_several_lines_are_one_list_of_cookies():
    reading = Reading().feed(b"GET / HTTP/1.1\r\nHost: desk\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n")
    assert reading.found[0].header(b"cookie") == b"a=1; b=2"
