"""Over real sockets, as uvicorn's server runs it; and what a service says through ASGI instead."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from config.http import protocol
from config.serving import server_config
from tests.support.desk import BODY_MAX, STALL_S, Desk
from tests.support.servers import PATIENCE_S, until

GET = b"GET /a HTTP/1.1\r\nHost: desk\r\n\r\n"
POST = b"POST /b HTTP/1.1\r\nHost: desk\r\nContent-Length: 5\r\n\r\nhello"
BAD = b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
KEEP_ALIVE_S, SHORT_S, STALLED_S = 60, 1, 3


class Wrapped:
    """An application with something around it: no Service that a server could see."""

    def __init__(self, application):
        self._application = application

    async def __call__(self, scope, receive, send):
        await self._application(scope, receive, send)


class Running:
    """A server in a thread."""

    def __init__(self, application, desk, keep_alive_s=KEEP_ALIVE_S):
        self.desk = desk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        config = server_config(application, "", 0, ws="none", timeout_keep_alive=keep_alive_s)
        self.server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.server.run, args=([self._listener],))

    def __enter__(self):
        self._thread.start()
        until(lambda: self.server.started)
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.server.should_exit = True
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def tell(self):
        """Answer who waits."""
        until(lambda: self.desk.held)
        held = self.desk.held.popleft()
        held.get_loop().call_soon_threadsafe(held.set_result, None)

    @contextmanager
    def caller(self):
        with socket.create_connection(self.address, timeout=PATIENCE_S) as connection:
            talk = Talk(connection)
            yield talk
            talk.close()


class Talk:
    """A connection to it."""

    def __init__(self, connection):
        self.connection = connection
        self._file = connection.makefile("rb")

    def says(self, *pieces, pause_s=0.0):
        for piece in pieces:
            self.connection.sendall(piece)
            time.sleep(pause_s)
        return self

    def hears(self, *, body=True):
        """The next answer: its status, headers and body."""
        status = int(self._file.readline().split()[1])
        lines = iter(lambda: self._file.readline().strip(), b"")
        headers = {name.lower(): value for name, _, value in (x.partition(b": ") for x in lines)}
        size = int(headers.get(b"content-length", 0)) if body else 0
        return status, headers, self._file.read(size)

    def status(self):
        return self.hears()[0]

    def ends_its_half(self):
        """Say nothing more, and listen."""
        self.connection.shutdown(socket.SHUT_WR)

    def close(self):
        """The socket closes with the last that reads it."""
        self._file.close()

    def ends(self):
        return self._file.read(1) == b""


def served(desk, **settings):
    return Running(desk, desk, **settings)


@pytest.fixture(scope="module")
def running():
    with served(Desk()) as one:
        yield one


@pytest.fixture(scope="module")
def plain():
    """The same, told of its requests by events."""
    desk = Desk()
    with Running(Wrapped(desk), desk) as one:
        yield one


@pytest.fixture(params=["running", "plain"])
def either(request):
    return request.getfixturevalue(request.param)


class TestByEitherWay:
    def test_requests_are_answered_alike(self, either):
        with either.caller() as caller:
            for sent, status, body in [
                (GET, 200, b"GET /a "),
                (POST, 200, b"POST /b hello"),
                (GET.replace(b"/a", b"/%C3%A9?x"), 200, "GET /é ".encode()),
                (GET.replace(b"/a", b"/nothing"), 204, b""),
                (GET.replace(b"/a", b"/large"), 200, b"x" * 100_000),
                (POST.replace(b" 5", b" 101").replace(b"hello", b"x" * 101), 413, b"too large"),
            ]:
                answered, headers, heard = caller.says(sent).hears()
                assert (answered, heard) == (status, body)
                assert b"date" in headers
                assert b"server" not in headers
                assert (b"content-length" in headers) == (status != 204)

    def test_head_has_the_length_alone(self, either):
        with either.caller() as caller:
            head = GET.replace(b"GET", b"HEAD")
            status, headers, _ = caller.says(head + GET).hears(body=False)
            assert (status, headers[b"content-length"]) == (200, b"8")
            assert caller.status() == 200

    def test_a_caller_may_wait_to_be_asked_for_its_body(self, either):
        head, _, body = POST.partition(b"\r\n\r\n")
        with either.caller() as caller:
            caller.says(head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert caller.hears()[0] == 100
            assert caller.says(body).hears()[2] == b"POST /b hello"

    def test_requests_in_one_piece_are_answered_in_order(self, either):
        with either.caller() as caller:
            caller.says(b"".join(GET.replace(b"/a", b"/%d" % n) for n in range(100)))
            assert [caller.hears()[2] for _ in range(100)] == [b"GET /%d " % n for n in range(100)]

    @pytest.mark.parametrize("last", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nConnection: close\r\n"])
    def test_the_last_request_ends_the_connection(self, either, last):
        with either.caller() as caller:
            status, headers, _ = caller.says(GET.replace(b"HTTP/1.1\r\n", last)).hears()
            assert (status, headers[b"connection"]) == (200, b"close")
            assert caller.ends()

    @pytest.mark.parametrize("wrap", [lambda desk: desk, Wrapped], ids=["running", "plain"])
    def test_a_kept_connection_is_closed_when_nothing_comes(self, wrap):
        desk = Desk()
        with Running(wrap(desk), desk, SHORT_S) as server, server.caller() as caller:
            before = time.monotonic()
            assert caller.says(GET).status() == 200
            assert caller.ends()
            assert time.monotonic() - before > 0.8 * SHORT_S


def test_a_request_may_be_split_anywhere(running):
    for at in range(1, len(POST)):
        with running.caller() as caller:
            caller.says(POST[:at], POST[at:] + GET, pause_s=0.002)
            assert caller.hears()[2] == b"POST /b hello"
            assert caller.hears()[2] == b"GET /a "


def test_what_could_be_read_in_two_ways_is_a_canonical_400(running):
    with running.caller() as caller:
        status, headers, body = caller.says(GET + BAD + GET).hears()
        assert (status, body) == (200, b"GET /a ")
        status, headers, body = caller.hears()
        assert (status, headers[b"content-type"]) == (400, b"application/json")
        assert b'"BAD_REQUEST"' in body
        assert caller.ends()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nA: " + b"x" * 40_000,
        b"GET / HTTP/1.1\r\n" + b"".join(b"a%d: x\r\n" % n for n in range(200)) + b"\r\n",
    ],
    ids=["long", "of many lines"],
)
def test_a_head_too_large_is_431(running, head):
    with running.caller() as caller:
        assert caller.says(head).status() == 431
        assert caller.ends()


def test_slow_heads_and_bodies_come_to_an_end(running, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_WITHIN_S", 0.2)
    monkeypatch.setattr(protocol, "BODY_WITHIN_S", 0.2)
    with running.caller() as one, running.caller() as other:
        one.says(GET[:10], GET[10:11], GET[11:12], pause_s=0.1)
        other.says(POST[:-2])
        assert one.ends()
        assert other.status() == 400
        assert other.ends()


def test_a_server_that_could_not_run_drops_nobody_who_was_in_time():
    """Found in a storm: a kept connection was closed with a request unread on it."""
    desk = Desk()
    with (
        served(desk, keep_alive_s=STALLED_S) as running,
        running.caller() as caller,
        running.caller() as other,
    ):
        assert STALL_S > STALLED_S
        assert caller.says(GET).status() == 200
        other.says(GET.replace(b"/a", b"/stall"))
        desk.stalls.wait(PATIENCE_S)
        assert caller.says(GET).status() == 200


def test_who_reads_slowly_makes_nobody_wait():
    large = GET.replace(b"/a", b"/large")
    with (
        served(Desk(), keep_alive_s=SHORT_S) as running,
        running.caller() as slow,
        running.caller() as other,
    ):
        slow.says(large * 100)  # 10 MB: more than any socket holds
        assert other.says(GET).status() == 200
        time.sleep(1.5 * SHORT_S)  # longer than a connection is kept on which nothing happens
        with running.caller() as another:
            assert another.says(GET).status() == 200
        assert [len(slow.hears()[2]) for _ in range(100)] == [100_000] * 100


def test_who_goes_away_leaves_nothing_behind(running):
    state = running.server.server_state
    with running.caller() as caller:
        caller.says(GET.replace(b"/a", b"/later"))
        until(lambda: running.desk.held)
    running.tell()  # until then who is gone can't be told from who only sends nothing more
    until(lambda: not (state.tasks or state.connections))


def test_who_is_gone_for_certain_leaves_its_connection_at_once(running):
    state = running.server.server_state
    with running.caller() as caller:
        caller.says(GET.replace(b"/a", b"/later"))
        until(lambda: running.desk.held)
        caller.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: not state.connections)
    running.tell()
    until(lambda: not state.tasks)


class TestWhoeverSendsNothingMore:
    """As `nc -N` and HTTP/1.0 clients end what they ask."""

    @pytest.mark.parametrize("sent", [GET, POST, GET.replace(b"/a", b"/large")])
    def test_is_answered_and_hung_up_on(self, running, sent):
        with running.caller() as caller:
            caller.says(sent).ends_its_half()
            assert caller.status() == 200
            assert caller.ends()

    def test_is_answered_when_the_answer_is_ready(self, running):
        with running.caller() as caller:
            caller.says(GET.replace(b"/a", b"/later") + POST).ends_its_half()
            running.tell()
            assert caller.hears()[2] == b"GET /later "
            assert caller.hears()[2] == b"POST /b hello"
            assert caller.ends()

    def test_is_answered_a_thousand_times(self, running):
        with running.caller() as caller:
            caller.says(GET * 1000).ends_its_half()
            assert [caller.status() for _ in range(1000)] == [200] * 1000
            assert caller.ends()

    def test_in_the_middle_of_a_request_is_hung_up_on(self, running):
        for at in range(len(POST)):
            with running.caller() as caller:
                caller.says(POST[:at]).ends_its_half()
                assert caller.ends()

    def test_and_is_gone_leaves_nothing_behind(self, running):
        state = running.server.server_state
        with running.caller() as caller:
            caller.says(GET.replace(b"/a", b"/later") * 3).ends_its_half()
            until(lambda: running.desk.held)
        for _ in range(3):
            running.tell()
        until(lambda: not (state.tasks or state.connections))


def test_an_upgrade_that_is_not_taken_is_ignored(running):
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHost"
    with running.caller() as caller:
        sent = POST.replace(b"Host", offer) + GET.replace(b"Host", offer) + GET
        for at in range(1, len(sent), 7):
            caller.says(sent[:at], sent[at:], pause_s=0.001)
            assert caller.hears()[2] == b"POST /b hello"
            assert caller.hears()[2] == caller.hears()[2] == b"GET /a "


def test_the_server_ends_when_all_is_answered():
    with served(Desk()) as running:
        with running.caller() as idle, running.caller() as half, running.caller() as caller:
            assert idle.says(GET).status() == 200
            half.says(POST[:-1])
            caller.says(GET.replace(b"/a", b"/later"))
            until(lambda: running.desk.held)
            running.server.should_exit = True
            assert idle.ends()
            assert half.says(POST[-1:]).hears()[1][b"connection"] == b"close"
            assert running.server.server_state.tasks
            running.tell()
            status, headers, _ = caller.hears()
            assert (status, headers[b"connection"]) == (200, b"close")
            assert caller.ends()
        running.end()
        assert running.server.server_state.total_requests == 3


def test_a_server_that_may_not_wait_hangs_up():
    desk = Desk()
    with served(desk) as running:
        running.server.config.timeout_graceful_shutdown = 0
        with running.caller() as caller:
            caller.says(GET.replace(b"/a", b"/later"))
            until(lambda: desk.held)
            running.server.should_exit = True
            assert caller.ends()


def test_bodies_are_as_long_as_the_service_says(running):
    with running.caller() as caller:
        size = BODY_MAX + 1
        head = b"POST /b HTTP/1.1\r\nHost: desk\r\nContent-Length: %d\r\n\r\n" % size
        assert caller.says(head + b"x" * BODY_MAX, b"x", pause_s=0.05).status() == 413
        assert caller.says(GET).status() == 200
