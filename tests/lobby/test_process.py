"""The lobby as it is run: one process, one loop, real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from contextlib import ExitStack

import httpx
import psycopg
import pytest

from tests.support.faulty_realtime import (
    FaultyRealtime,
    admission,
    answer,
    hangs_up,
    says,
    silent,
)
from tests.support.loops import until
from tests.support.servers import PATIENCE_S, free_port, server
from tests.support.services import need_postgresql

WAITING = 200
JOIN = b'{"username": "alice"}'
FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"  # 1.4 MB
PATIENT = ("-m", "tests.support.patient_lobby")
RUNSERVER = ("manage.py", "runserver", "--noreload")


@pytest.fixture(scope="module")
def realtime():
    with FaultyRealtime(silent) as double:
        yield double


@pytest.fixture(scope="module")
def database(sqlite_tables, tmp_path_factory):
    with sqlite_tables.copy(tmp_path_factory.mktemp("lobby-database")) as database:
        yield database


@pytest.fixture(scope="module")
def place(realtime, tmp_path_factory):
    """A lobby on a database that is still to be named."""

    def at(database):
        environ = {
            **database.environ,
            "LOBBY_PORT": str(free_port()),
            "REALTIME_URL": realtime.url,
            "RATE_LIMITS": "off",
        }
        return server("lobby", environ, tmp_path_factory.mktemp("lobby"))

    return at


@pytest.fixture(scope="module")
def process(place, database):
    with place(database).that_runs(*PATIENT) as process:
        yield process


@pytest.fixture
def lobby(process):
    """After every test: whatever was sent, nothing was worth a line in the log."""
    process.news()
    yield process
    assert process.news() == ""


def request(method: str, path: str, body: bytes = b"", *, length: int | None = None) -> bytes:
    """A request as a caller writes it, who may announce more than it sends."""
    announced = len(body) if length is None else length
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {announced}\r\n\r\n".encode() + body


def join(path: str = "/api/rooms/ROOM23/join", **more: int) -> bytes:
    return request("POST", path, JOIN, **more)


class Caller:
    """A connection to the lobby."""

    def __init__(self, lobby, **options: int) -> None:
        self._socket = socket.socket()
        for name, value in options.items():
            self._socket.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(("127.0.0.1", lobby.port))
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def says(self, data: bytes) -> Caller:
        self._socket.sendall(data)
        return self

    def hears(self) -> int:
        """The status of the next answer, which is read to its end."""
        status = int(self._file.readline().split()[1])
        headers = dict(iter(lambda: self._header(), None))
        self._file.read(int(headers.get("content-length", 0)))
        return status

    def ends(self) -> bool:
        return self._file.read(1) == b""

    def _header(self) -> tuple[str, str] | None:
        name, colon, value = self._file.readline().decode().strip().partition(": ")
        return (name, value) if colon else None


async def ask(lobby, data: bytes) -> int:
    """The status of the answer, from a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", lobby.port)
    writer.write(data)
    status = int((await reader.readline()).split()[1])
    writer.transport.abort()
    return status


async def health(lobby, times: int) -> None:
    """The lobby says that it lives, asked again and again."""
    for _ in range(times):
        assert await ask(lobby, request("GET", "/healthz")) == 200


class Silence:
    """A fault that lasts until it is over; then the connection breaks."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, connection: socket.socket, server: FaultyRealtime) -> None:
        self.over.wait(PATIENCE_S)
        hangs_up(connection, server)


def test_with_200_joins_waiting_for_a_silent_service_it_is_healthy(process, realtime):
    async def crowd():
        joins = [asyncio.create_task(ask(process, join())) for _ in range(WAITING)]
        try:
            await until(lambda: len(realtime.requests) >= WAITING)
            await health(process, 30)
            waited = sum(not each.done() for each in joins)
        finally:
            silence.over.set()
        return waited, Counter(await asyncio.gather(*joins))

    realtime.requests.clear()
    realtime.fault = silence = Silence()
    waited, statuses = asyncio.run(crowd())
    assert waited == WAITING
    assert statuses == {503: WAITING}


def test_slow_bodies_hold_nobody_up(lobby, realtime):
    realtime.fault = says(answer("200 OK", admission()))
    with ExitStack() as slow:
        callers = [slow.enter_context(Caller(lobby)) for _ in range(WAITING)]
        for path in ("/api/rooms/ROOM23/join", "/admin/login/"):
            for caller in callers[: WAITING // 2]:
                caller.says(join(path)[:-5])
            callers.reverse()
        asyncio.run(health(lobby, 20))
        with Caller(lobby) as other:
            assert other.says(join()).hears() == 200
            assert other.says(request("GET", "/admin/login/")).hears() == 200
            assert other.says(request("GET", "/readyz")).hears() == 200
        for caller in callers:
            caller.says(JOIN[-5:])
        assert Counter(caller.hears() for caller in callers) == {200: 100, 403: 100}


def test_a_body_too_large_is_refused_before_it_has_come_and_the_connection_goes_on(lobby):
    length = 1_000_000
    body = b" " * length
    with Caller(lobby) as caller:
        caller.says(request("POST", "/api/rooms", body[:17_000], length=length))
        assert caller.hears() == 413
        caller.says(body[17_000:])
        assert caller.says(request("GET", "/healthz")).hears() == 200


def test_a_caller_who_hangs_up_within_its_body_asked_for_nothing(lobby, realtime):
    realtime.requests.clear()
    for path in ("/api/rooms", "/api/rooms/ROOM23/join", "/admin/login/"):
        with Caller(lobby) as caller:
            caller.says(join(path, length=1000))
    with Caller(lobby) as other:
        assert other.says(request("GET", "/healthz")).hears() == 200
    assert not realtime.requests


def test_a_slow_reader_of_a_page_makes_no_other_wait(lobby):
    with ExitStack() as slow:
        for _ in range(3):
            slow.enter_context(Caller(lobby, SO_RCVBUF=4096)).says(request("GET", FILE))
        with Caller(lobby) as other:
            for path in ("/admin/login/", "/readyz", "/healthz"):
                assert other.says(request("GET", path)).hears() == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"CONNECT somewhere:443 HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_400_and_no_news(lobby, garbage):
    with Caller(lobby) as caller:
        assert caller.says(garbage).hears() == 400
        assert caller.ends()


def test_a_socket_in_the_wrong_place_finds_nothing(lobby):
    upgrade = b"GET /parties/chat/ROOM23 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    with Caller(lobby) as caller:
        assert caller.says(upgrade + b"Upgrade: websocket\r\n\r\n").hears() == 404


def test_the_development_server_serves_the_same(process, realtime):
    """`manage.py runserver`, for whoever is used to it."""
    realtime.fault = says(answer("200 OK", admission()))
    page, port = "http://localhost:3000", str(free_port())
    command = process.with_environ(LOBBY_PORT=port).that_runs(*RUNSERVER, port)
    with command as development, httpx.Client(base_url=development.url) as browser:
        body, headers = {"username": "alice"}, {"origin": page}
        joined = browser.post("/api/rooms/ROOM23/join", json=body, headers=headers)
        assert joined.status_code == 200
        assert joined.headers["access-control-allow-origin"] == page
        assert browser.get("/api/nothing").json()["error"]["code"] == "NOT_FOUND"
        assert browser.get("/admin/login/").status_code == 200
        assert browser.get(FILE).status_code == 200


def test_is_ready_again_as_soon_as_its_database_is(place, postgresql_tables, tmp_path):
    with postgresql_tables.copy(tmp_path) as database, place(database) as process:
        with psycopg.connect(need_postgresql(), autocommit=True) as other:
            name = database.url.rpartition("/")[2]
            other.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s",
                [name],
            )
        assert httpx.get(process.url + "/readyz").status_code == 200
