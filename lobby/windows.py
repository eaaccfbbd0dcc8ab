"""Counting events per address. No HTTP here, and one process only: the outermost net."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

PERIOD_S = 60.0
ADDRESSES_MAX = 10_000  # remembered per window; beyond it the one longest silent is forgotten


class Window:
    """At most `limit` events of one address in any `PERIOD_S`."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, address: str) -> float:
        """Count an event and return 0; or, at the limit, count nothing and return `wait_s`."""
        wait_s = self.wait_s(address)
        if not wait_s:
            self._count(address)
        return wait_s

    def wait_s(self, address: str) -> float:
        """The seconds until `take` would count an event of this address, 0 for now."""
        times, now = self._times.get(address), self._clock()
        while times and times[0] <= now - PERIOD_S:
            times.popleft()
        return times[0] + PERIOD_S - now if times and len(times) >= self.limit else 0.0

    def _count(self, address: str) -> None:
        self._times.setdefault(address, deque()).append(self._clock())
        self._times.move_to_end(address)
        if len(self._times) > ADDRESSES_MAX:
            self._times.popitem(last=False)


@dataclass(frozen=True)
class Limits:
    """The windows of one lobby process, in events per minute and address."""

    creates: Window = field(default_factory=lambda: Window(20))
    joins: Window = field(default_factory=lambda: Window(120))  # a class sits behind one address
    reads: Window = field(default_factory=lambda: Window(600))  # thirty browsers that poll
    misses: Window = field(default_factory=lambda: Window(20))  # room codes that were none
