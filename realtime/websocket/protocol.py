"""A WebSocket served by uvicorn: ASGI for any application, and a shorter way for ours.

ASGI costs an event, a task switch and a write for every message and every recipient. An application
that finds this protocol in its scope's extensions may hear text as it comes, in the same call, and
may write frames that it encoded once for many. Where it wants neither, it is served by ASGI alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias, cast

from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState

from contracts import jsonio
from realtime.websocket import handshake
from realtime.websocket.handshake import BadHandshake, Opening
from realtime.websocket.keepalive import keepalive_of
from realtime.websocket.reader import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Reader,
    close_code,
    close_reason,
)
from realtime.websocket.scope import scope_of
from realtime.websocket.writer import binary_frame, close_frame, control_frame, text_frame

EXTENSION = "greenroom.socket"
EVENTS_WAITING = 64  # that the application has not received; then no further piece is read
PIECE_BYTES = 16_384  # that are looked at before others have their turn: up to 2,730 tiny frames
UNCOUNTED_PER_S = 500  # pings, pongs and fragments, which no application counts; more: a flood
EARLY_MAX_BYTES = 64 * 1024  # of a head, or of what is sent before the handshake is answered
CLOSE_TIMEOUT_S = 10.0  # for the other side's half of a close, and for what it has yet to read
NO_CODE, ABNORMAL = 1005, 1006  # RFC 6455, 7.4.1: a close that says nothing, and none at all
FLOOD, BUG, RESTART = 1008, 1011, 1012

logger = logging.getLogger("uvicorn.error")


# Takes one text message, in UTF-8, without waiting. False: this one and those after it are events,
# until the application listens again.
Hear: TypeAlias = Callable[[bytes], bool]


class Wire(Protocol):
    """An application's way out, that is told how the other side keeps up. No call waits."""

    def paused(self) -> None:
        """The other side reads too slowly: from now on, what is written fills memory."""

    def resumed(self) -> None:
        """It has caught up."""

    def lost(self) -> None:
        """The connection is gone, and nothing reaches anybody."""


class WebSocketProtocol(asyncio.Protocol):
    """One WebSocket, after uvicorn has read its request's head."""

    __slots__ = (
        "_app_state",
        "_close_sent",
        "_close_timer",
        "_config",
        "_drained",
        "_events",
        "_gone",
        "_half_closed",
        "_hear",
        "_opening",
        "_pong",
        "_reader",
        "_reading_paused",
        "_refusal",
        "_resuming",
        "_server",
        "_uncounted",
        "_uncounted_since",
        "_unread",
        "_waiter",
        "_wire",
        "accepted",
        "due",
        "heard",
        "patience_until",
        "transport",
    )

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self._config = config
        self._server = server_state
        self._app_state = app_state
        self._reader = Reader(config.ws_max_size)
        self._unread = b""  # what has to wait: for the handshake's answer, or for its turn
        self._opening: Opening | None = None  # until it is answered
        self._refusal: tuple[int, list[tuple[bytes, bytes]], bytes] | None = None  # HTTP, so far
        self._events: list[dict[str, Any]] = []  # a deque would be half a kilobyte
        self._waiter: asyncio.Future[None] | None = None  # of `receive`
        self._drained: asyncio.Event | None = None  # of `send`: the other side is too slow now
        self._wire: Wire | None = None
        self._hear: Hear | None = None
        self._pong: bytes | None = None  # the answer to a ping, owed to a slow reader
        self._close_timer: asyncio.TimerHandle | None = None
        self._uncounted = 0  # pings, pongs and fragments in a second or less, since:
        self._uncounted_since = 0.0
        self._reading_paused = self._resuming = False
        self._close_sent = self._gone = self.accepted = self.heard = False
        self._half_closed = False  # the other side has ended its half before our answer
        self.due = self.patience_until = 0.0

    # What an application that knows this protocol does with it.

    def attach(self, wire: Wire) -> None:
        """Tell the wire how the other side keeps up, and when it is gone."""
        self._wire = wire

    def listen(self, hear: Hear) -> None:
        """Have text heard as it comes, unless there are events to be received before it."""
        self._hear = None if self._events else hear

    def close(self, code: int, reason: str = "", limit_s: float = CLOSE_TIMEOUT_S) -> None:
        """Say goodbye; the other side has so long to read on and to answer. Nothing may be written
        after it."""
        if self._open:
            self._say_close(code, reason, limit_s)
            self._disconnected(code, reason)

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._server.connections.discard(self)
        keepalive_of(self._server, self._config).forget(self)
        if self._close_timer:
            self._close_timer.cancel()
        self._disconnected(ABNORMAL)
        self._unread = b""

    def eof_received(self) -> bool:
        """Nothing more comes. A handshake is still answered; then the transport closes, once it has
        sent what it holds. Returns whether it stays open until then."""
        self._limit_closing(CLOSE_TIMEOUT_S)
        secure = self.transport.get_extra_info("sslcontext") is not None
        self._half_closed = self._opening is not None and not secure
        if not self._half_closed:
            self._disconnected(ABNORMAL)
        return self._half_closed

    def pause_writing(self) -> None:
        self._drained = asyncio.Event()
        if self._wire:
            self._wire.paused()

    def resume_writing(self) -> None:
        if self._drained:
            self._drained.set()
            self._drained = None
        if self._pong is not None and self._open:
            self._answer(self._pong)
        if self._wire and not self._drained:  # the pong may have been too much again
            self._wire.resumed()

    def data_received(self, data: bytes) -> None:
        if not self.accepted:
            self._come_early(data)
            return
        self.heard = True
        if self._reading_paused:
            self._unread += data
        else:
            self._read(data)

    # What uvicorn's server asks.

    def shutdown(self) -> None:
        """The server ends."""
        if self._open:
            self._say_close(RESTART, "", CLOSE_TIMEOUT_S)
            self._disconnected(RESTART)
        elif not self.accepted:
            self._turn_away(HTTPStatus.SERVICE_UNAVAILABLE)
        self._hang_up()

    # What the keepalive asks.

    def ping(self) -> None:
        """Ask the other side for a sign of life; anything it sends is one."""
        if self._reading_paused:
            self.heard = True  # who knows what it said: the application has not read on
        elif self._open:
            self.transport.write(control_frame(PING))

    def give_up(self) -> None:
        """The other side did not answer a ping."""
        if self._open:
            self._say_close(BUG, "keepalive ping timeout", CLOSE_TIMEOUT_S)
        self._disconnected(ABNORMAL)
        self._hang_up()

    # ASGI.

    async def receive(self) -> dict[str, Any]:
        """The next event."""
        while not self._events:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        event = self._events[0]
        if event["type"] != "websocket.disconnect":  # that one is the last, for ever
            del self._events[0]
        if not self._events:
            self._read_on_soon()
        return event

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event. Raises ClientDisconnected once there is nobody to send it to."""
        while self._drained and not self._over:
            await self._drained.wait()
        if self._over:
            raise ClientDisconnected
        if self.accepted:
            self._send(event)
        else:
            self._answer_opening(event)

    def _send(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.send":
            text = event.get("text")
            frame = binary_frame(event["bytes"]) if text is None else text_frame(text.encode())
            self.transport.write(frame)
        elif event["type"] == "websocket.close":
            self.close(event.get("code", 1000), event.get("reason") or "")
        else:
            raise RuntimeError(f"{event['type']} on an open socket")

    def _answer_opening(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "websocket.accept" and self._opening:
            self._accept(self._opening, event)
        elif kind == "websocket.close" and self._opening:
            self._turn_away(HTTPStatus.FORBIDDEN)
        elif kind == "websocket.http.response.start" and self._opening:
            self._opening = None
            self._refusal = event["status"], [*event.get("headers", ())], b""
        elif kind == "websocket.http.response.body" and self._refusal:
            status, headers, body = self._refusal
            self._refusal = status, headers, body + event.get("body", b"")
            if not event.get("more_body", False):
                self._refuse(*self._refusal)
        else:
            raise RuntimeError(f"{kind} instead of an answer to the handshake")

    @property
    def _open(self) -> bool:
        return self.accepted and not (self._close_sent or self._gone)

    @property
    def _over(self) -> bool:
        """Whether the application is told, now or next, that there is nobody any more."""
        return bool(self._events) and self._events[-1]["type"] == "websocket.disconnect"

    def _come_early(self, data: bytes) -> None:
        """Before the handshake is answered: its head, or what waits behind it."""
        if len(self._unread) + len(data) > EARLY_MAX_BYTES:
            self._turn_away(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self._close_sent:
            return
        self._unread += data
        if self._opening is None and self._refusal is None:
            head, ended, rest = self._unread.partition(b"\r\n\r\n")
            if ended:
                self._unread = rest
                self._open_with(head)

    def _open_with(self, head: bytes) -> None:
        try:
            self._opening = handshake.read(head)
        except BadHandshake as problem:
            self._turn_away(problem.status)
            return
        self._put({"type": "websocket.connect"})
        loop = asyncio.get_running_loop()
        extensions = {"websocket.http.response": {}, EXTENSION: self}
        scope = scope_of(self._opening, self.transport, self._config)
        scope |= {"state": self._app_state.copy(), "extensions": extensions}
        task = loop.create_task(self._run(scope))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    async def _run(self, scope: dict[str, Any]) -> None:
        code = 1000
        try:
            await self._config.loaded_app(scope, self.receive, self.send)
        except ClientDisconnected:
            return
        except asyncio.CancelledError:
            self.transport.abort()
            raise
        except Exception:
            logger.exception("Exception in ASGI application")
            code = BUG
        if not (self.accepted or self._close_sent):
            self._turn_away(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.close(code)

    def _accept(self, opening: Opening, event: dict[str, Any]) -> None:
        headers: Iterable[tuple[bytes, bytes]] = event.get("headers", ())
        answer = handshake.accept(
            opening.key, event.get("subprotocol"), [*self._server.default_headers, *headers]
        )
        self.transport.write(answer)
        self._opening, self.accepted = None, True
        keepalive_of(self._server, self._config).watch(self)
        early, self._unread = self._unread, b""
        if early:
            self._read(early)
        if self._half_closed:
            self._disconnected(ABNORMAL)
            self._hang_up()

    def _turn_away(self, status: HTTPStatus) -> None:
        """Refuse a handshake that no application has judged."""
        error = handshake.refusal(status)
        self._refuse(status, error.fields, jsonio.encode(error.body))

    def _refuse(
        self, status: int, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b""
    ) -> None:
        """Answer the handshake with an HTTP status. The connection ends."""
        if self._close_sent or self._gone:
            return
        self._opening = None
        self._close_sent = True
        self.transport.write(handshake.refuse(status, headers, body))
        self._disconnected(ABNORMAL)
        self._hang_up()

    def _read(self, data: bytes) -> None:
        """Read a piece. What is left waits for its turn, so that nobody keeps the others waiting,
        or until the application has received what there is."""
        self._read_piece(data[:PIECE_BYTES])
        ended = self._reader.closed or self._reader.failed or self._gone
        if len(data) > PIECE_BYTES and not ended:
            self._unread = data[PIECE_BYTES:]
            self._pause_reading()
            if self._close_sent or len(self._events) < EVENTS_WAITING:
                self._read_on_soon()

    def _read_piece(self, data: bytes) -> None:
        for opcode, payload in self._reader.feed(data):
            if self._close_sent and opcode != CLOSE:
                continue
            if opcode == TEXT and self._hear and self._hear(payload):
                continue
            self._handle(opcode, payload)
        if self._reader.failed and self._open:
            self._fail(self._reader.failed)
        elif self._reader.fragments:
            self._count(self._reader.take_fragments())

    def _handle(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self._put({"type": "websocket.receive", "text": payload.decode()})
        elif opcode == BINARY:
            self._put({"type": "websocket.receive", "bytes": payload})
        elif opcode == CLOSE:
            self._part(payload)
        elif self._count(1) and opcode == PING:
            self._answer(payload)

    def _count(self, frames: int) -> bool:
        """Count frames that no application sees. Whether they may be as many: if not, we close."""
        now = asyncio.get_running_loop().time()
        if now >= self._uncounted_since + 1:
            self._uncounted, self._uncounted_since = 0, now
        self._uncounted += frames
        if self._uncounted > UNCOUNTED_PER_S:
            self.close(FLOOD)
            return False
        return True

    def _answer(self, ping: bytes) -> None:
        """Answer a ping. A slow reader gets one answer to all, when it reads again: RFC 6455, 5.5.3
        lets us, and nothing piles up."""
        self._pong = ping if self._drained else None
        if not self._drained:
            self.transport.write(control_frame(PONG, ping))

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()

    def _read_on_soon(self) -> None:
        if self._reading_paused and not self._resuming:
            self._resuming = True
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        self._resuming = False
        if self._gone:
            return
        self._reading_paused = False
        unread, self._unread = self._unread, b""
        self._read(unread)
        if not self._reading_paused:
            self.transport.resume_reading()

    def _part(self, payload: bytes) -> None:
        """The other side closes, or answers our close."""
        if not self._close_sent:
            code = close_code(payload)
            self._close_sent = True
            self.transport.write(control_frame(CLOSE, payload[:2]))
            self._disconnected(NO_CODE if code is None else code, close_reason(payload))
        self._hang_up()

    def _fail(self, code: int) -> None:
        """What comes can't be read any more, so the answer to our close won't be seen: end our half
        of the connection. The other half is read on, or the peer might lose the close to a reset.
        """
        self.close(code)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _say_close(self, code: int, reason: str, limit_s: float) -> None:
        self._close_sent = True
        self.transport.write(close_frame(code, reason.encode()))
        self._limit_closing(limit_s)
        self._read_on_soon()  # to see the answer

    def _limit_closing(self, limit_s: float) -> None:
        if self._close_timer is None:
            loop = asyncio.get_running_loop()
            self._close_timer = loop.call_later(limit_s, self.transport.abort)

    def _hang_up(self) -> None:
        """End the connection when all is sent, or when that takes too long."""
        if not self._gone:
            self._limit_closing(CLOSE_TIMEOUT_S)
            self.transport.close()

    def _disconnected(self, code: int, reason: str | None = None) -> None:
        """Tell the application, once, that the socket is or will be gone; why, if that was said."""
        if self._over:
            return
        wire, self._wire = self._wire, None
        if wire:
            wire.lost()
        if self._drained:
            self._drained.set()
        event = {"type": "websocket.disconnect", "code": code}
        self._put(event if reason is None else {**event, "reason": reason})

    def _put(self, event: dict[str, Any]) -> None:
        if self._over:
            return  # nothing comes after the disconnect
        self._events.append(event)
        self._hear = None
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
        if len(self._events) >= EVENTS_WAITING and not (self._close_sent or self._gone):
            self._pause_reading()
