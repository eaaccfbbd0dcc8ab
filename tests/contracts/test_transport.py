import threading
import time

import httpx
import pytest

from contracts import transport as transport_module
from contracts.limits import ANSWER_MAX_BYTES
from contracts.transport import KeepAliveTransport
from tests.support import faulty_realtime as faults
from tests.support.faulty_realtime import FaultyRealtime, answer, says

HELLO = says(answer("200 OK", b'"hello"'))


def ask(transport, url, **extensions):
    return transport.handle_request(httpx.Request("GET", url, extensions=extensions))


def in_s(seconds):
    return time.monotonic() + seconds


def test_it_serves_httpx_clients():
    with FaultyRealtime(HELLO) as server, httpx.Client(transport=KeepAliveTransport()) as client:
        assert client.post(server.url, json={"a": 1}).json() == "hello"
        assert client.get(server.url).json() == "hello"
    assert server.connections == 1


def test_threads_share_it():
    transport, heard = KeepAliveTransport(), []
    with FaultyRealtime(HELLO) as server:

        def ask_often():
            heard.extend(ask(transport, server.url).read() for _ in range(50))

        threads = [threading.Thread(target=ask_often) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert heard == [b'"hello"'] * 400
    assert server.connections <= 8


def test_what_a_server_says_out_of_turn_answers_no_later_request(monkeypatch):
    monkeypatch.setattr(transport_module, "TRUSTED_S", 0)
    answered, spoken = threading.Event(), threading.Event()

    def speaks_again(connection, server):
        HELLO(connection, server)
        if server.connections == 1 and answered.wait(1):
            connection.sendall(answer("408 Request Timeout", b""))
            spoken.set()

    transport = KeepAliveTransport()
    with FaultyRealtime(speaks_again) as server:
        ask(transport, server.url)
        answered.set()
        assert spoken.wait(1)
        assert ask(transport, server.url).status_code == 200
    assert server.connections == 2


@pytest.mark.parametrize("fault", [faults.silent, faults.trickling, faults.slow_headers])
def test_the_deadline_holds_however_slowly_the_answer_comes(fault):
    with FaultyRealtime(fault) as server:
        before = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            ask(KeepAliveTransport(), server.url, deadline=in_s(0.2))
    assert 0.15 < time.monotonic() - before < 0.4


def test_without_a_deadline_its_own_timeout_counts():
    with FaultyRealtime(faults.silent) as server, pytest.raises(httpx.ReadTimeout):
        ask(KeepAliveTransport(timeout_s=0.1), server.url)


def test_the_defaults_are_those_of_the_protocol():
    assert transport_module.TIMEOUT_S == 4.0
    assert transport_module.CONNECT_TIMEOUT_S == 0.5
    assert ANSWER_MAX_BYTES == 64 * 1024


def test_no_more_is_read_than_the_limit():
    with FaultyRealtime(faults.ten_megabytes) as server:
        before = time.monotonic()
        with pytest.raises(httpx.RemoteProtocolError, match="too large"):
            ask(KeepAliveTransport(), server.url)
    assert time.monotonic() - before < 1


def test_a_name_that_nobody_has_cannot_be_connected_to():
    with pytest.raises(httpx.ConnectError):
        ask(KeepAliveTransport(), f"http://{'x' * 64}.invalid")


def test_a_redirect_is_an_answer_like_any_other():
    with FaultyRealtime(faults.GARBAGE["302"]) as server:
        assert ask(KeepAliveTransport(), server.url).status_code == 302
    assert len(server.requests) == 1


class TestOverTls:
    def test_it_speaks_to_whom_it_trusts(self, certificate):
        with FaultyRealtime(HELLO, tls=certificate.server) as server:
            transport = KeepAliveTransport(tls=certificate.client)
            assert [ask(transport, server.url).read() for _ in range(3)] == [b'"hello"'] * 3
        assert server.connections == 1

    def test_and_to_nobody_else(self, certificate):
        transport = KeepAliveTransport()
        with (
            FaultyRealtime(HELLO, tls=certificate.server) as server,
            pytest.raises(httpx.ConnectError),
        ):
            ask(transport, server.url)
        assert not server.requests

    def test_the_deadline_holds_as_well(self, certificate):
        with FaultyRealtime(faults.trickling, tls=certificate.server) as server:
            before = time.monotonic()
            with pytest.raises(httpx.ReadTimeout):
                ask(KeepAliveTransport(tls=certificate.client), server.url, deadline=in_s(0.3))
        assert time.monotonic() - before < 0.6
