"""The way out to one socket on any ASGI server: frames in order, bounded, one task while busy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from contracts.bodies import Send
from contracts.sockets import Close

VIEWS_WAITING = 3  # that can't be replaced; one more: slow consumer


class View:
    """A snapshot on its way."""

    __slots__ = ("frame", "replaceable")

    def __init__(self, frame: bytes, replaceable: bool) -> None:
        self.frame = frame
        self.replaceable = replaceable


Outgoing: TypeAlias = bytes | View | Close


class Outbox:
    """Sends without making anybody wait. More than `limit_bytes` waiting: slow consumer, closed.

    Views may be larger, and are counted apart: the newest of those that replace each other, and
    VIEWS_WAITING others. The verdict falls when the server has had its chance: many turns may be
    told at once.
    """

    def __init__(self, send: Send, limit_bytes: int, on_close: Callable[[], None]) -> None:
        """`on_close` is called soon after the first close, never before `close` returns."""
        self._asgi_send = send
        self._limit_bytes = limit_bytes
        self._on_close = on_close
        self._waiting: deque[Outgoing] = deque()
        self._waiting_bytes = 0
        self._view: View | None = None  # the newest in _waiting that may be replaced
        self._views_waiting = 0  # that may not
        self._task: asyncio.Task[None] | None = None
        self._judging = False
        self.closed = False

    def send(self, frame: bytes) -> None:
        """Queue one text frame."""
        self._waiting_bytes += len(frame)
        self._put(frame)

    def show(self, view: bytes, *, replaces: bool) -> None:
        """Queue a snapshot; if it `replaces`, an older one that still waits is not sent."""
        if self.closed:
            return  # what waited may be dropped by now, and the older one with it
        shown = View(view, replaces)
        if replaces:
            if self._view:
                self._waiting.remove(self._view)
            self._view = shown
        else:
            self._views_waiting += 1
        self._put(shown)

    def close(self, code: Close) -> None:
        """Close after what is queued; nothing is sent after it, and nothing heard."""
        self._put(code)
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self._on_close)

    def abandon(self) -> None:
        """The socket is gone: drop what is queued."""
        self.closed = True
        self._waiting.clear()
        if self._task:
            self._task.cancel()

    @property
    def _full(self) -> bool:
        return self._waiting_bytes > self._limit_bytes or self._views_waiting > VIEWS_WAITING

    def _judge(self) -> None:
        """Still full, after the server could have taken something: the client reads too slowly."""
        self._judging = False
        if self._full and not self.closed:
            self._waiting.clear()
            self.close(Close.SLOW_CONSUMER)

    def _put(self, outgoing: Outgoing) -> None:
        if self.closed:
            return
        self._waiting.append(outgoing)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())
        if self._full and not self._judging:
            self._judging = True
            asyncio.get_running_loop().call_soon(self._judge)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._deliver(self._waiting.popleft())
        except Exception:  # noqa: BLE001  each server has its own
            # The server says that the client is gone; its disconnect event follows.
            self.closed = True
            self._waiting.clear()
        finally:
            self._task = None

    async def _deliver(self, outgoing: Outgoing) -> None:
        if isinstance(outgoing, Close):
            await self._say_close(outgoing)
            return
        if isinstance(outgoing, View):
            frame = outgoing.frame
            self._views_waiting -= not outgoing.replaceable
            if outgoing is self._view:
                self._view = None
        else:
            frame = outgoing
            self._waiting_bytes -= len(frame)
        await self._asgi_send({"type": "websocket.send", "text": frame.decode()})

    async def _say_close(self, code: Close) -> None:
        try:
            await self._asgi_send({"type": "websocket.close", "code": int(code)})
        except Exception:  # noqa: BLE001  Daphne refuses codes below 3000
            await self._asgi_send({"type": "websocket.close"})
