"""A service, and a caller whose connection leads nowhere: what is said and heard is in memory."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from types import SimpleNamespace
from typing import Any, NamedTuple

from uvicorn.server import ServerState

from config.http.protocol import ServiceProtocol
from contracts.asgi import serve
from contracts.bodies import Receive, Send
from contracts.errors import RoomError
from contracts.exchange import NO_BODY, Request, Response, refused

BODY_MAX = 100
KEEP_ALIVE_S = 5
GRACE_S = 6  # that the server gives its callers when it ends
STALL_S = 3.5  # while the event loop stands still
TEXT = b"content-type: text/plain\r\n"


class Desk:
    """Answers with what it was asked. Of paths that begin with `/later` when it is told to, and
    it reads no body of those that begin with `/stranger`."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.held: deque[asyncio.Future[None]] = deque()
        self.stalls = threading.Event()
        self.service = self

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await serve(self, scope, receive, send)

    def route(self, request: Request) -> int:
        if request.path == "/bug":
            raise KeyError("what a caller wrote")
        if request.path == "/stall":
            self.stalls.set()
            time.sleep(STALL_S)
        return NO_BODY if request.path.startswith("/stranger") else BODY_MAX

    async def respond(self, request: Request) -> Response:
        self.asked.append(request)
        if request.path.startswith("/later"):
            self.held.append(asyncio.get_running_loop().create_future())
            await self.held[-1]
        if request.path == "/explode":
            raise KeyError("what a caller wrote")
        if request.path == "/large":
            return Response(200, TEXT, b"x" * 100_000)
        if request.path == "/nothing":
            return Response(204, b"")
        if len(request.body) > BODY_MAX:
            return Response(413, TEXT, b"too large")
        return Response(200, TEXT, f"{request.method} {request.path} ".encode() + request.body)

    def refusal(self, request: Request, error: RoomError) -> Response:
        return refused(error).also(b"x-origin: %b\r\n" % request.header(b"origin"))

    def tell(self) -> None:
        """Answer who waits longest."""
        self.held.popleft().set_result(None)


class Wire:
    """A transport. What is written lies in a buffer when nobody reads."""

    def __init__(self, *, secure: bool = False) -> None:
        self._secure = secure
        self.sent = b""
        self.unsent = 0
        self.reads = True
        self.closing = self.aborted = False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        assert not self.closing, "something is written after the end"
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def get_extra_info(self, name: str, default: object = None) -> object:
        known = {"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 80)}
        return object() if name == "sslcontext" and self._secure else known.get(name, default)

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert self.reads
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads
        self.reads = True

    def set_protocol(self, protocol: object) -> None:
        self.protocol = protocol

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            if not self.unsent:
                asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = self.closing = True
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


class Heard(NamedTuple):
    """One answer."""

    status: int
    body: bytes
    headers: dict[bytes, bytes]


class Caller:
    """Somebody connected to a desk."""

    def __init__(
        self, desk: Desk | None = None, sockets: type | None = None, *, secure: bool = False
    ) -> None:
        self.desk = desk or Desk()
        self.wire = Wire(secure=secure)
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"today")]
        config: Any = SimpleNamespace(
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
            ws_protocol_class=sockets,
        )
        self.protocol = ServiceProtocol(self.desk, config, self.state, {})
        self.wire.protocol = self.protocol
        self.protocol.connection_made(self.wire)  # type: ignore[arg-type]

    def says(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.wire.closing:
                self.wire.protocol.data_received(piece)

    def ends_its_half(self) -> None:
        """Say nothing more, and read on. A transport reads no more then, but may be asked to."""
        assert self.protocol.eof_received()
        self.wire.reads = False

    async def hears(self, *pieces: bytes) -> list[int]:
        """What it is answered, once nothing happens any more that needs no time."""
        self.says(*pieces)
        for _ in range(30):
            await asyncio.sleep(0)
        return [one.status for one in self.answers]

    @property
    def answers(self) -> list[Heard]:
        return read(self.wire.sent, [one.method for one in self.desk.asked])

    @property
    def bodies(self) -> list[bytes]:
        return [one.body for one in self.answers]


def read(sent: bytes, methods: list[str]) -> list[Heard]:
    """The answers in what was sent, to requests of these methods."""
    heard: list[Heard] = []
    while sent:
        head, _, rest = sent.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(b": ") for x in lines)}
        status = int(lines[0].split()[1])
        if status == 100:
            sent = rest
            continue
        head_only = len(heard) < len(methods) and methods[len(heard)] == "HEAD"
        size = 0 if head_only else int(headers.get(b"content-length", 0))
        heard.append(Heard(status, rest[:size], headers))
        sent = rest[size:]
    return heard
