import asyncio
import socket
import ssl
import struct
import threading
from contextlib import suppress

import httpx
import pytest

from contracts import transport as transport_module
from contracts.connection import HttpConnection, Origin, origin_of
from contracts.transport import KeepAliveTransport
from tests.support import faulty_realtime as faults
from tests.support.faulty_realtime import FaultyRealtime, answer, says
from tests.support.loops import LOOPS, until
from tests.support.virtual_time import HANGS_S, held_clock

HELLO = says(answer("200 OK", b'"hello"'))
CONNECT_S = 60.0  # a hang guard: tests of this limit have their own


async def ask(transport, url):
    return await ask_within(HANGS_S, transport, url)


async def ask_within(seconds, transport, url):
    where, deadline = httpx.URL(url), asyncio.get_running_loop().time() + seconds
    request = b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (where.raw_path, where.netloc)
    return await transport.exchange(origin_of(where), request, deadline)


async def ends_after(asking, seconds, heard):
    """Ask on a held clock. It ends so many seconds after the request, and not earlier."""
    clock, call = held_clock(), asyncio.create_task(asking)
    await clock.until(heard)
    await clock.ends_after(call, seconds)
    return await call


async def echo(reader, writer):
    """Answers each request with its target."""
    with suppress(asyncio.IncompleteReadError):
        while request := await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer("200 OK", request.split(b" ")[1]))
    writer.close()


def resets(connection):
    """The connection ends as one does whose process died with unread data."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_many_may_ask_at_once_and_each_hears_its_own_answer(run):
    transport = KeepAliveTransport(CONNECT_S)

    async def ask_often(url, name):
        return {(await ask(transport, f"{url}/{name}")).body.decode() for _ in range(10)}

    async def crowd():
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            heard = await asyncio.gather(*(ask_often(url, name) for name in range(40)))
            await transport.aclose()
        return heard

    assert run(crowd()) == [{f"/{name}"} for name in range(40)]


def test_no_more_connections_are_kept_than_the_limit(run, monkeypatch):
    monkeypatch.setattr(transport_module, "IDLE_MAX", 2)
    transport = KeepAliveTransport(CONNECT_S)

    async def five(url):
        await asyncio.gather(*(ask(transport, url) for _ in range(5)))

    with FaultyRealtime(HELLO) as server:
        run(five(server.url))
        run(five(server.url))
    assert server.connections == 8


def test_two_loops_never_share_a_connection():
    transport = KeepAliveTransport(CONNECT_S)
    with FaultyRealtime(HELLO) as server:
        for loop_factory in [*LOOPS.values(), *LOOPS.values()]:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                for _ in range(2):
                    assert runner.run(ask(transport, server.url)).body == b'"hello"'
    assert server.connections == 4


class TestAConnectionThatLiesIdle:
    def test_and_is_closed_by_the_server_is_not_used_again(self, run):
        async def talk(url):
            transport = KeepAliveTransport(CONNECT_S)
            for n in range(1, 4):
                await ask(transport, url)
                assert len(server.requests) == n
                await until(lambda: not live(transport))

        with FaultyRealtime(faults.closes_after_each) as server:
            run(talk(server.url))
        assert server.connections == 3

    def test_and_is_closed_unseen_is_replaced_at_once(self, run):
        """The loop has no chance to hear of the close before the next request."""
        transport = KeepAliveTransport(CONNECT_S)
        with FaultyRealtime(faults.closes_after_each) as server:
            for _ in range(4):
                assert run(ask(transport, server.url)).status == 200
        assert server.connections == 4

    def test_and_hears_something_answers_no_later_request(self, run):
        answered, spoken = threading.Event(), threading.Event()

        def speaks_again(connection, server):
            HELLO(connection, server)
            if server.connections == 1 and answered.wait(1):
                connection.sendall(answer("408 Request Timeout", b""))
                spoken.set()

        async def talk(url):
            transport = KeepAliveTransport(CONNECT_S)
            await ask(transport, url)
            answered.set()
            assert await asyncio.to_thread(spoken.wait, 1)
            await until(lambda: not live(transport))
            assert (await ask(transport, url)).status == 200

        with FaultyRealtime(speaks_again) as server:
            run(talk(server.url))
        assert server.connections == 2

    def test_is_closed_with_the_transport(self, run):
        async def talk(url):
            transport = KeepAliveTransport(CONNECT_S)
            await ask(transport, url)
            assert not server.ended
            await transport.aclose()
            await until(lambda: server.ended)

        with FaultyRealtime(HELLO) as server:
            run(talk(server.url))


def live(transport):
    """The connections that could be used again."""
    return [each for idle in transport._idle.values() for each in idle if not each.closed]


class TestAnAnswer:
    def test_is_read_up_to_the_limit_and_no_further(self, run):
        with (
            FaultyRealtime(faults.ten_megabytes) as server,
            pytest.raises(httpx.RemoteProtocolError, match="too large"),
        ):
            run(ask(KeepAliveTransport(CONNECT_S), server.url))

    def test_that_is_too_large_is_not_waited_for(self, held):
        """No time passes: not that of the deadline either."""
        with (
            FaultyRealtime(faults.ten_megabytes) as server,
            pytest.raises(httpx.RemoteProtocolError, match="too large"),
        ):
            held(ask(KeepAliveTransport(CONNECT_S), server.url))

    def test_that_redirects_is_one_like_any_other(self, run):
        with FaultyRealtime(faults.GARBAGE["302"]) as server:
            assert run(ask(KeepAliveTransport(CONNECT_S), server.url)).status == 302
        assert len(server.requests) == 1

    def test_without_a_length_ends_with_its_connection(self, run):
        def says_and_closes(connection, server):
            connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n"hel')
            connection.sendall(b'lo"')
            connection.shutdown(socket.SHUT_WR)

        transport = KeepAliveTransport(CONNECT_S)
        with FaultyRealtime(says_and_closes) as server:
            for _ in range(2):
                assert run(ask(transport, server.url)).body == b'"hello"'
        assert server.connections == 2

    @pytest.mark.parametrize(
        "half",
        [
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            b"HTTP/1.1 200 OK\r\nhalf: a-head",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"",
        ],
    )
    @pytest.mark.parametrize("end", [lambda connection: connection.shutdown(2), resets])
    def test_that_breaks_off_is_none(self, run, half, end):
        def breaks_off(connection, server):
            connection.sendall(half)
            end(connection)

        with FaultyRealtime(breaks_off) as server, pytest.raises(httpx.ReadError):
            run(ask(KeepAliveTransport(CONNECT_S), server.url))

    def test_followed_by_a_close_is_whole_and_its_connection_not_kept(self, run):
        transport = KeepAliveTransport(CONNECT_S)
        with FaultyRealtime(says(answer("200 OK", b"1", "text/plain\r\nconnection: close"))) as one:
            for _ in range(2):
                assert run(ask(transport, one.url)).body == b"1"
        assert one.connections == 2


class TestACallerWhoGoesAway:
    def test_leaves_no_connection_behind(self, run):
        async def talk(url):
            transport = KeepAliveTransport(CONNECT_S)
            call = asyncio.create_task(ask(transport, url))
            await until(lambda: server.requests)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: server.ended)

        with FaultyRealtime(faults.silent) as server:
            run(talk(server.url))

    def test_while_it_connects_leaves_none_either(self, run, certificate):
        """A server that never says its half of the handshake."""

        async def talk(url):
            call = asyncio.create_task(
                ask(KeepAliveTransport(CONNECT_S, tls=certificate.client), url)
            )
            await until(lambda: server.requests)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: server.ended)

        with FaultyRealtime(faults.silent) as server:
            run(talk(server.url.replace("http:", "https:")))


class TestAConnectionThatIsGoneBeforeItsFirstRequest:
    @pytest.mark.parametrize("end", [socket.socket.close, resets])
    def test_says_so_instead_of_waiting(self, run, end):
        async def talk(listener):
            connection = await opened(listener)
            end(listener.accept()[0])
            await until(lambda: connection.closed)
            with pytest.raises(httpx.ReadError):
                await exchange(connection)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            run(talk(listener))

    def test_also_when_it_was_closed_here(self, run):
        async def talk(listener):
            connection = await opened(listener)
            for _ in range(2):
                connection.close()
            with pytest.raises(httpx.ReadError):
                await exchange(connection)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            run(talk(listener))


async def opened(listener):
    origin = Origin("http", *listener.getsockname())
    return await HttpConnection.open(origin, 1, ssl.create_default_context())


async def exchange(connection):
    await connection.exchange(b"GET / HTTP/1.1\r\n\r\n", connection.loop.time() + 5)


class TestWhereItConnectsTo:
    @pytest.mark.parametrize(
        ("url", "origin"),
        [
            ("http://h", ("http", "h", 80)),
            ("https://h/path?query", ("https", "h", 443)),
            ("http://[::1]:1999/", ("http", "::1", 1999)),
            ("http://bücher.example", ("http", "xn--bcher-kva.example", 80)),
        ],
    )
    def test_is_in_the_url(self, url, origin):
        assert origin_of(httpx.URL(url)) == origin

    def test_may_be_an_ipv6_address(self, run):
        try:
            listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            pytest.skip("this machine has no IPv6")
        with FaultyRealtime(HELLO, listener=listener) as server:
            assert run(ask(KeepAliveTransport(CONNECT_S), server.url)).body == b'"hello"'

    @pytest.mark.parametrize("name", ["x" * 64, "nobody"])
    def test_must_exist(self, run, name):
        with pytest.raises(httpx.ConnectError):
            run(ask(KeepAliveTransport(CONNECT_S), f"http://{name}.invalid"))

    def test_must_listen(self, run):
        with faults.refused() as url, pytest.raises(httpx.ConnectError):
            run(ask(KeepAliveTransport(CONNECT_S), url))


class TestOverTls:
    def test_it_speaks_to_whom_it_trusts(self, run, certificate):
        with FaultyRealtime(HELLO, tls=certificate.server) as server:
            transport = KeepAliveTransport(CONNECT_S, tls=certificate.client)
            heard = [run(ask(transport, server.url)).body for _ in range(3)]
        assert heard == [b'"hello"'] * 3
        assert server.connections == 1

    def test_and_to_nobody_else(self, run, certificate):
        transport = KeepAliveTransport(CONNECT_S)
        with (
            FaultyRealtime(HELLO, tls=certificate.server) as server,
            pytest.raises(httpx.ConnectError),
        ):
            run(ask(transport, server.url))
        assert not server.requests

    def test_and_waits_for_no_handshake_longer_than_for_a_connection(self, held):
        with FaultyRealtime(faults.silent) as server:
            url = server.url.replace("http:", "https:")
            asking = ask(KeepAliveTransport(0.1), url)
            with pytest.raises(httpx.ConnectTimeout):
                held(ends_after(asking, 0.1, lambda: server.requests))

    def test_the_deadline_holds_as_well(self, held, certificate):
        with FaultyRealtime(faults.trickling, tls=certificate.server) as server:
            transport = KeepAliveTransport(CONNECT_S, tls=certificate.client)
            asking = ask_within(0.3, transport, server.url)
            with pytest.raises(httpx.ReadTimeout):
                held(ends_after(asking, 0.3, lambda: server.requests))

    def test_a_connection_closed_by_the_server_is_replaced(self, run, certificate):
        with FaultyRealtime(faults.closes_after_each, tls=certificate.server) as server:
            transport = KeepAliveTransport(CONNECT_S, tls=certificate.client)
            for _ in range(3):
                assert run(ask(transport, server.url)).status == 200
        assert server.connections == 3


class TestTheDeadline:
    @pytest.mark.parametrize("fault", [faults.silent, faults.trickling, faults.slow_headers])
    def test_holds_however_slowly_the_answer_comes(self, held, fault):
        with FaultyRealtime(fault) as server:
            asking = ask_within(0.2, KeepAliveTransport(CONNECT_S), server.url)
            with pytest.raises(httpx.ReadTimeout):
                held(ends_after(asking, 0.2, lambda: server.requests))

    @pytest.mark.parametrize("fault", [faults.silent, faults.trickling, faults.slow_headers])
    def test_holds_on_either_loop(self, run, fault):
        with FaultyRealtime(fault) as server, pytest.raises(httpx.TimeoutException):
            run(ask_within(0.2, KeepAliveTransport(CONNECT_S), server.url))

    def test_is_not_prolonged_by_a_slow_name_server(self, held, monkeypatch):
        asked, over = threading.Event(), threading.Event()

        def resolve(*_, **__):
            asked.set()
            over.wait(HANGS_S)

        async def talk():
            asking = ask(KeepAliveTransport(0.1), "http://slow.example")
            try:
                with pytest.raises(httpx.ConnectTimeout):
                    await ends_after(asking, 0.1, asked.is_set)
            finally:
                over.set()

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        held(talk())

    def test_is_over_before_it_began(self, run):
        with FaultyRealtime(HELLO) as server, pytest.raises(httpx.TimeoutException):
            run(ask_within(-1, KeepAliveTransport(CONNECT_S), server.url))
        assert not server.requests
