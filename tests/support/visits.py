"""One WebSocket between a client and an ASGI application, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from realtime.websocket.protocol import EXTENSION, WebSocketProtocol
from tests.support.engine import settled

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HIGH_WATER, LOW_WATER = 64 * 1024, 16 * 1024  # as event loops have them
HANDSHAKE = (
    b"GET /parties/chat/K7PQ2M?_pk=1 HTTP/1.1\r\nHost: rooms.example\r\nUpgrade: websocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Line(asyncio.Transport):
    """A connection as the server holds it. Its client takes what it is sent while it `reads`."""

    def __init__(self, protocol: WebSocketProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.reads = True
        self.got = b""  # by the client
        self.waiting = b""  # to be read by it
        self.listens = True  # the server reads
        self.ended = self.closing = self.lost = self.aborted = self._paused = False

    # What the server does.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended, "written after the end"
        if self.lost:
            return
        self.waiting += data
        if self.reads:
            self._pass_on(len(self.waiting))
        if len(self.waiting) > HIGH_WATER and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        self.listens = False

    def resume_reading(self) -> None:
        self.listens = not self.closing

    def close(self) -> None:
        self.closing, self.listens = True, False
        if not self.waiting:
            self._lose()

    def abort(self) -> None:
        self.aborted, self.waiting = True, b""
        self._lose()

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        ends = {"sockname": ("10.0.0.1", 1999), "peername": ("10.0.0.2", 4711)}
        return ends.get(name, default)

    # What the client does.

    def read(self, count: int = 1 << 30) -> None:
        """Read so many bytes of what waits."""
        self._pass_on(count)

    def reads_on(self) -> None:
        """After it has stalled."""
        self.reads = True
        self.read()

    def send(self, data: bytes) -> None:
        assert self.listens, "the server does not read"
        self.protocol.data_received(data)

    def end(self) -> None:
        """FIN."""
        if not self.protocol.eof_received():  # it wants the line closed
            self.close()

    def reset(self) -> None:
        """RST."""
        self._lose(ConnectionResetError())

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        """What the client got after the handshake's answer: opcodes and payloads."""
        return list(frames_of(self.got.partition(b"\r\n\r\n")[2]))

    @property
    def status(self) -> int:
        """The handshake's answer."""
        return int(self.got[9:12] or 0)

    def _pass_on(self, count: int) -> None:
        self.got += self.waiting[:count]
        self.waiting = self.waiting[count:]
        if self._paused and len(self.waiting) <= LOW_WATER:
            self._paused = False
            self.protocol.resume_writing()
        if self.closing and not self.waiting:
            self._lose()

    def _lose(self, error: Exception | None = None) -> None:
        if not self.lost:
            self.lost, self.closing, self.listens = True, True, False
            asyncio.get_running_loop().call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        self.protocol.connection_lost(error)
        del self.protocol


class Application:
    """An ASGI application that does what its test says, and stays until it `ends`."""

    def __init__(self) -> None:
        self.started = 0
        self.scope: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.started += 1
        self.scope, self.receive, self._send = scope, receive, send
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._end

    @property
    def socket(self) -> WebSocketProtocol:
        """The shorter way."""
        return self.scope["extensions"][EXTENSION]

    async def send(self, kind: str, **event: Any) -> None:
        await self._send({"type": f"websocket.{kind}", **event})

    async def hears(self) -> Any:
        """What the next event says; a disconnect is returned as it is."""
        event = await self.receive()
        if event["type"] == "websocket.disconnect":
            return event
        assert event["type"] == "websocket.receive"
        return event["text"] if "text" in event else event["bytes"]

    async def ends(self, error: Exception | None = None) -> None:
        if error:
            self._end.set_exception(error)
        else:
            self._end.set_result(None)
        await settled()


class Visit:
    """A client, the line, the protocol and an application. uvicorn's parts are its own."""

    def __init__(self, application: Any = None, **settings: Any) -> None:
        """`settings` are uvicorn's. Without an application there is one to play with, `app`."""
        self.app = Application()
        application = application or self.app
        config = Config(
            application, interface="asgi3", lifespan="off", proxy_headers=False, log_config=None
        )
        config.load()
        config.ws_max_size, config.ws_ping_interval, config.ws_ping_timeout = 64 * 1024, 20, 20
        for name, value in settings.items():
            setattr(config, name, value)
        self.server = ServerState()
        self.protocol = WebSocketProtocol(config, self.server, {})
        self.client = Line(self.protocol)

    async def knocks(self, head: bytes = HANDSHAKE) -> Visit:
        """The request is there; the application is not asked yet."""
        self.protocol.connection_made(self.client)
        self.protocol.data_received(head)
        await settled()
        return self

    async def arrives(self) -> Visit:
        """The application knows of it."""
        await self.knocks()
        assert await self.app.receive() == {"type": "websocket.connect"}
        return self

    async def opens(self) -> Visit:
        """It is open."""
        await self.arrives()
        await self.app.send("accept")
        assert self.client.status == 101
        return self

    def stalls(self) -> None:
        """The client reads no more, and what it is to read piles up until the server knows."""
        self.client.reads = False
        self.client.write(bytes([0x82, 127]) + (HIGH_WATER).to_bytes(8, "big") + bytes(HIGH_WATER))

    def gone(self) -> bool:
        """Whether nothing is left of it in the server."""
        return not (self.server.connections or self.server.tasks)


def frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """A client's frame. The mask is all zeros, which is a mask too."""
    first, length = opcode | (0x80 if final else 0), len(payload)
    if length < 126:
        head = bytes([first, 0x80 | length])
    elif length < 65536:
        head = bytes([first, 0xFE]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, 0xFF]) + length.to_bytes(8, "big")
    return head + bytes(4) + payload


def text(said: str) -> bytes:
    return frame(TEXT, said.encode())


def message(kind: str, **payload: Any) -> bytes:
    """A message of a room's member."""
    return text(json.dumps({"type": kind, "payload": payload}))


def close(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


def frames_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """A server's frames: whole, and not masked."""
    while data:
        length, body = data[1], 2
        if length > 125:
            body = 4 if length == 126 else 10
            length = int.from_bytes(data[2:body], "big")
        yield data[0] & 0x0F, data[body : body + length]
        data = data[body + length :]


def texts(client: Line) -> list[str]:
    """The messages that a client got."""
    return [payload.decode() for opcode, payload in client.frames if opcode == TEXT]
