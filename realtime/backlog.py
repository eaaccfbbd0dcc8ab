"""What a socket is still to be sent, because the other side reads slowly. In order, and bounded."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from contracts.sockets import Close

VIEWS_WAITING = 3  # that can't be replaced; one more, and it is full


class View:
    """A snapshot on its way."""

    __slots__ = ("frame", "replaceable")

    def __init__(self, frame: bytes, replaceable: bool) -> None:
        self.frame = frame
        self.replaceable = replaceable


Outgoing: TypeAlias = bytes | Close


def unheard() -> None:
    """Nobody is to be told that a socket was closed."""


class Backlog:
    """Frames, views and at last a close. Full with more than `limit_bytes` of frames; whoever fills
    it decides what follows from that.

    Views may be larger, and are counted apart: the newest of those that replace each other, and
    VIEWS_WAITING others.
    """

    __slots__ = ("_bytes", "_limit_bytes", "_view", "_views", "_waiting")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._waiting: deque[Outgoing | View] = deque()
        self._bytes = 0
        self._view: View | None = None  # the newest in _waiting that may be replaced
        self._views = 0  # that may not

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        """Whether more waits than may."""
        return self._bytes > self._limit_bytes or self._views > VIEWS_WAITING

    def add(self, frame: bytes) -> None:
        """Let one text frame wait."""
        self._bytes += len(frame)
        self._waiting.append(frame)

    def show(self, frame: bytes, *, replaces: bool) -> None:
        """Let a snapshot wait; if it `replaces`, an older one that waits goes."""
        view = View(frame, replaces)
        if replaces:
            if self._view:
                self._waiting.remove(self._view)
            self._view = view
        else:
            self._views += 1
        self._waiting.append(view)

    def close(self, code: Close) -> None:
        """Let the close wait for its turn."""
        self._waiting.append(code)

    def next(self) -> Outgoing:
        """Take out what waits longest."""
        outgoing = self._waiting.popleft()
        if isinstance(outgoing, View):
            self._views -= not outgoing.replaceable
            if outgoing is self._view:
                self._view = None
            return outgoing.frame
        if not isinstance(outgoing, Close):
            self._bytes -= len(outgoing)
        return outgoing

    def clear(self) -> None:
        """Drop all."""
        self._waiting.clear()
        self._view, self._views, self._bytes = None, 0, 0
