"""The way out to one socket on any ASGI server: frames in order, bounded, one task while busy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from contracts.bodies import Send
from contracts.sockets import Close
from realtime.backlog import Backlog, Outgoing, unheard
from realtime.engine.frames import Frames


class Outbox:
    """Sends without making anybody wait. A backlog that is full: slow consumer, closed.

    The verdict falls when the server has had its chance: many turns may be told at once.
    """

    write: Callable[[bytes], None] | None = None  # each frame is an event of its own

    def __init__(self, send: Send, limit_bytes: int, on_close: Callable[[], None]) -> None:
        """`on_close` is called soon after the first close, never before `close` returns."""
        self._asgi_send = send
        self._on_close = on_close
        self._backlog = Backlog(limit_bytes)
        self._task: asyncio.Task[None] | None = None
        self._judging = False
        self.closed = False

    def send(self, frame: bytes) -> None:
        """Queue one text frame."""
        if not self.closed:
            self._backlog.add(frame)
            self._go()

    def send_all(self, frames: Frames) -> None:
        """Queue several text frames."""
        for frame in frames.each:
            self.send(frame)

    def show(self, view: bytes, *, replaces: bool) -> None:
        """Queue a snapshot; if it `replaces`, an older one that still waits is not sent."""
        if not self.closed:  # what waited may be dropped by now, and the older one with it
            self._backlog.show(view, replaces=replaces)
            self._go()

    def close(self, code: Close) -> None:
        """Close after what is queued; nothing is sent after it, and nothing heard."""
        if not self.closed:
            self._backlog.close(code)
            self._go()
            self.closed = True
            asyncio.get_running_loop().call_soon(self._on_close)

    def abandon(self) -> None:
        """The socket is gone: drop what is queued."""
        self.closed = True
        self._on_close = unheard  # its owner is freed with it, not when garbage is collected
        self._backlog.clear()
        if self._task:
            self._task.cancel()

    def _judge(self) -> None:
        """Still full, after the server could have taken something: the client reads too slowly."""
        self._judging = False
        if self._backlog.full and not self.closed:
            self._backlog.clear()
            self.close(Close.SLOW_CONSUMER)

    def _go(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())
        if self._backlog.full and not self._judging:
            self._judging = True
            asyncio.get_running_loop().call_soon(self._judge)

    async def _drain(self) -> None:
        try:
            while self._backlog:
                await self._deliver(self._backlog.next())
        except Exception:  # noqa: BLE001  each server has its own
            # The server says that the client is gone; its disconnect event follows.
            self.closed = True
            self._backlog.clear()
        finally:
            self._task = None

    async def _deliver(self, outgoing: Outgoing) -> None:
        if isinstance(outgoing, Close):
            await self._say_close(outgoing)
        else:
            await self._asgi_send({"type": "websocket.send", "text": outgoing.decode()})

    async def _say_close(self, code: Close) -> None:
        try:
            await self._asgi_send({"type": "websocket.close", "code": int(code)})
        except Exception:  # noqa: BLE001  Daphne refuses codes below 3000
            await self._asgi_send({"type": "websocket.close"})
