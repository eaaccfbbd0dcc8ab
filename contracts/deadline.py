"""A deadline that moves with every request, on a timer that is seldom armed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOK_S = 0.001  # until the loop has seen what its sockets brought


class Deadline:
    """Calls `passed` once the time that was last set is over. To set a later time costs nothing:
    the timer that is armed looks again when it rings.

    Loops run timers before they read sockets. So when the time is over the sockets are read once
    more: a process that could not run for a while gives up nobody who was in time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._at: float | None = None  # on the loop's clock
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._looked_for: float | None = None  # the time at which sockets were read once more

    def set(self, in_s: float) -> None:
        """The time is over in so many seconds, whatever was set before."""
        self.set_at(self._loop.time() + in_s)

    def set_at(self, at: float) -> None:
        """The same, on the loop's clock."""
        self._at = at
        if self._timer is None or at < self._rings_at:
            self._arm(at)

    def clear(self) -> None:
        """There is no deadline now."""
        self._at = None

    def close(self) -> None:
        """Clear the deadline for good, and drop its owner: the two are a reference cycle, which
        would wait for the garbage collector."""
        self._at = None
        self._passed = _nobody
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._rings_at = at
        self._timer = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._at is None:
            return
        now = self._loop.time()
        if now < self._at:
            self._arm(self._at)
        elif self._looked_for != self._at:
            self._looked_for = self._at
            self._arm(now + LOOK_S)
        else:
            self._at = None
            self._passed()


def _nobody() -> None:
    """Told in the place of an owner that has ended."""
