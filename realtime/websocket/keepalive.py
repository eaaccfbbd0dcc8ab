"""Finds the sockets whose other side is gone without a word: a ping, and no answer."""

from __future__ import annotations

import asyncio
from random import random
from typing import Protocol
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.server import ServerState

from contracts.incidents import report

SWEEP_S = 0.25
JITTER = 0.25  # of the interval: sockets that came together are not all pinged together


class Watched(Protocol):
    """A socket, as this module sees it."""

    heard: bool  # whether anything came since the last look; the socket sets it
    due: float  # for the next look, by the event loop's time
    patience_until: float  # for the answer to a ping; 0 while none is awaited

    def ping(self) -> None:
        """Ask the other side for a sign of life."""

    def give_up(self) -> None:
        """There was none."""


class Keepalive:
    """One timer for all sockets of a server: no socket needs its own.

    It looks at each socket twice in an interval. Who was heard since the last look is not pinged,
    so a silence is noticed after an interval and a timeout at the latest.
    """

    def __init__(self, interval_s: float, timeout_s: float) -> None:
        self._window_s = interval_s / 2
        self._timeout_s = timeout_s
        self._sockets: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, socket: Watched) -> None:
        """Mind this socket from now on."""
        self._wait(socket, asyncio.get_running_loop().time())
        self._sockets.add(socket)
        self._plan()

    def forget(self, socket: Watched) -> None:
        """It is closed."""
        self._sockets.discard(socket)
        if self._timer and not self._sockets:
            self._timer.cancel()
            self._timer = None

    def _plan(self) -> None:
        if self._timer is None and self._sockets:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for socket in [one for one in self._sockets if one.due <= now]:
            try:
                self._look_after(socket, now)
            except Exception as bug:  # noqa: BLE001  the others are watched whatever one does
                self._sockets.discard(socket)
                report(bug, "keepalive")
        self._plan()

    def _look_after(self, socket: Watched, now: float) -> None:
        if socket.heard:
            self._wait(socket, now)
        elif not socket.patience_until:
            socket.patience_until = now + self._timeout_s
            self._look_again(socket, now)
            socket.ping()
        elif now < socket.patience_until:
            self._look_again(socket, now)
        else:
            self.forget(socket)
            socket.give_up()

    def _wait(self, socket: Watched, now: float) -> None:
        socket.heard, socket.patience_until = False, 0.0
        socket.due = now + self._window_s * (1 - JITTER * random())  # noqa: S311  no secret

    def _look_again(self, socket: Watched, now: float) -> None:
        """Not only when patience ends: who answers a ping and falls silent is to be pinged again in
        time."""
        socket.due = min(now + self._window_s, socket.patience_until)


_keepalives: WeakKeyDictionary[ServerState, Keepalive] = WeakKeyDictionary()


def keepalive_of(server: ServerState, config: Config) -> Keepalive:
    """The one of a server, for all its sockets."""
    known = _keepalives.get(server)
    if known is None:
        never = float("inf")
        interval_s, timeout_s = config.ws_ping_interval or never, config.ws_ping_timeout or never
        known = _keepalives[server] = Keepalive(interval_s, timeout_s)
    return known
