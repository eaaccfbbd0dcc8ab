"""The way out to one socket on any ASGI server: frames in order, bounded, one task while busy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from contracts.sockets import Close

Event = dict[str, Any]
Send = Callable[[Event], Awaitable[None]]


class Outbox:
    """Sends without making anybody wait. More than `limit_bytes` waiting: slow consumer, closed.

    Views do not count: two of them wait at most, the first one and the newest.
    """

    def __init__(self, send: Send, limit_bytes: int, on_close: Callable[[], None]) -> None:
        self._asgi_send = send
        self._limit_bytes = limit_bytes
        self._on_close = on_close
        self._events: deque[Event] = deque()
        self._view: Event = {}  # the newest replaceable one in _events
        self._waiting_bytes = 0
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def send(self, text: str) -> None:
        """Queue one text frame."""
        if self._waiting_bytes > self._limit_bytes and not self._closed:
            self._events.clear()
            self.close(Close.SLOW_CONSUMER)
        self._waiting_bytes += len(text)
        self._put({"type": "websocket.send", "text": text, "counted": len(text)})

    def show(self, view: str, *, replaces: bool) -> None:
        """Queue a snapshot; if it `replaces`, an older one that still waits is not sent."""
        event = {"type": "websocket.send", "text": view}
        if replaces:
            self._view.clear()
            self._view = event
        self._put(event)

    def close(self, code: Close) -> None:
        """Close after what is queued; nothing is sent after it."""
        self._put({"type": "websocket.close", "code": int(code)})
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().call_soon(self._on_close)

    def abandon(self) -> None:
        """The socket is gone: drop what is queued."""
        self._closed = True
        self._events.clear()
        if self._task:
            self._task.cancel()

    def _put(self, event: Event) -> None:
        if self._closed:
            return
        self._events.append(event)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._events:
                event = self._events.popleft()
                if event is self._view:
                    self._view = {}  # under way: not to be replaced any more
                self._waiting_bytes -= event.pop("counted", 0)
                if event:
                    await self._deliver(event)
        except Exception:  # noqa: BLE001  each server has its own
            # The server says that the peer is gone; its disconnect event follows.
            self._closed = True
            self._events.clear()
        finally:
            self._task = None

    async def _deliver(self, event: Event) -> None:
        try:
            await self._asgi_send(event)
        except Exception:
            if event["type"] != "websocket.close":
                raise
            await self._asgi_send({"type": "websocket.close"})  # Daphne refuses codes below 3000
