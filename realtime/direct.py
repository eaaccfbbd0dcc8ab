"""The short way out to one socket: frames that were joined once for all go straight to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from contracts.sockets import Close
from realtime.backlog import Backlog, unheard
from realtime.engine.frames import Frames
from realtime.websocket.writer import text_frame

ABORT_S = 1.0  # what a slow reader gets to read its close


class Socket(Protocol):
    """What our WebSocket protocol offers beside ASGI: its own words are more."""

    transport: asyncio.Transport

    def close(self, code: int, *, limit_s: float = ...) -> None: ...


class DirectWire:
    """Writes at once while the other side keeps up, and lets wait what comes while it does not.

    Slow is who leaves more than `limit_bytes` waiting, beyond what the transport holds (64 KiB and
    one tick's frames), or keeps us from writing for `patience_s`: closed, and broken off soon.
    """

    __slots__ = (
        "_backlog",
        "_farewell",
        "_judging",
        "_limit_bytes",
        "_on_close",
        "_patience_s",
        "_paused",
        "_socket",
        "_timer",
        "_write",
        "closed",
        "write",
    )

    def __init__(
        self, socket: Socket, limit_bytes: int, patience_s: float, on_close: Callable[[], None]
    ) -> None:
        """`on_close` is called soon after the first close, never before `close` returns."""
        self._socket = socket
        self._write = socket.transport.write
        self.write: Callable[[bytes], None] | None = self._write  # while frames need not wait
        self._limit_bytes = limit_bytes
        self._patience_s = patience_s
        self._on_close = on_close
        self._backlog: Backlog | None = None  # while the other side does not keep up
        self._farewell = Close.SLOW_CONSUMER  # what it is told if it reads too slowly
        self._timer: asyncio.TimerHandle | None = None  # for its patience
        self._paused = self._judging = self.closed = False

    def send(self, frame: bytes) -> None:
        """Send one text frame."""
        if self.write:
            self.write(text_frame(frame))
        elif self._backlog is not None and not self.closed:
            self._backlog.add(frame)
            self._consider()

    def send_all(self, frames: Frames) -> None:
        """Send several text frames, with one write."""
        if self.write:
            self.write(frames.joined)
            return
        for frame in frames.each:
            self.send(frame)

    def show(self, view: bytes, *, replaces: bool) -> None:
        """Send a snapshot; if it `replaces`, an older one that still waits is not sent."""
        if self.write:
            self.write(text_frame(view))
        elif self._backlog is not None and not self.closed:
            self._backlog.show(view, replaces=replaces)
            self._consider()

    def close(self, code: Close) -> None:
        """Close after what waits; nothing is sent after it, and nothing heard."""
        if self.closed:
            return
        self._closing()
        if self._backlog is None:
            self._socket.close(code)
        else:
            self._farewell = code
            self._backlog.close(code)

    def abandon(self) -> None:
        """The socket is gone: drop what waits."""
        self.closed, self.write = True, None
        self._on_close = unheard  # its owner is freed with it, not when garbage is collected
        self._backlog = None
        self._stop_timer()

    def paused(self) -> None:
        """The other side does not keep up."""
        self._paused, self.write = True, None
        if self._backlog is None:
            self._backlog = Backlog(self._limit_bytes)
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._patience_s, self._give_up)

    def resumed(self) -> None:
        """It does again: send what waits, until it does not."""
        self._paused = False
        self._stop_timer()
        while self._backlog and not self._paused:
            outgoing = self._backlog.next()
            if isinstance(outgoing, Close):
                self._socket.close(outgoing)
            else:
                self._write(text_frame(outgoing))
        if not self._paused:
            self._backlog = None
            self.write = None if self.closed else self._write

    def lost(self) -> None:
        """Nothing reaches the other side any more."""
        self.abandon()

    def _consider(self) -> None:
        """If too much waits, judge it when the transport has had its chance: many turns may be told
        at once."""
        if self._backlog and self._backlog.full and not self._judging:
            self._judging = True
            asyncio.get_running_loop().call_soon(self._judge)

    def _judge(self) -> None:
        self._judging = False
        if self._backlog and self._backlog.full and not self.closed:
            self._give_up()

    def _give_up(self) -> None:
        """It reads too slowly. Perhaps it still reads that."""
        self._backlog = None
        self._closing()
        self._socket.close(self._farewell, limit_s=ABORT_S)

    def _closing(self) -> None:
        if not self.closed:
            self.closed, self.write = True, None
            asyncio.get_running_loop().call_soon(self._on_close)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
