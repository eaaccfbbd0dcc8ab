"""What time it is: by the database's clock, which all processes share, else by this host's."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from contracts.complaints import Complaints
from realtime.engine.store import Reading, Store
from realtime.engine.ticker import Ticker
from realtime.engine.ticks import ticks

READINGS_AT_START = 3  # the first also pays for a connection
DRIFT = 1e-4  # seconds a second by which two clocks may part, unseen
SLEW = 0.5  # of its speed, at which time goes on while it is ahead
WARN_S, DEGRADED_S = 1.0, 5.0  # by which a host's clock may differ from the database's
WARN_EVERY_S = 60.0

logger = logging.getLogger(__name__)


class Setting(NamedTuple):
    """How time follows from the ticks."""

    offset_s: float  # of the database's clock from the ticks
    error_s: float  # by which the offset may be wrong
    since: float  # ticks, when it was set
    excess_s: float = 0.0  # by which the time was ahead then: it is not set back, but runs slower

    def at(self, now: float) -> float:
        """The time at this tick."""
        made_up_s = (now - self.since) * SLEW
        return now + self.offset_s + max(0.0, self.excess_s - made_up_s)

    def believes(self, reading: Reading, now: float) -> bool:
        """Whether a reading is worth more than what is known, or contradicts it. A long round trip
        makes it worth little: the answer may have been made at any moment of it."""
        error_s = reading.trip_s / 2
        known_s = self.error_s + DRIFT * (now - self.since)
        return error_s <= known_s or abs(reading.offset_s - self.offset_s) > error_s + known_s


class Timekeeper:
    """Seconds since the epoch, when called; from any thread. Where the store has a clock, it is
    that clock's time, which never goes back. Else it is the host's, however that is set."""

    def __init__(
        self,
        store: Store,
        interval_s: float,
        limit_s: float,
        clock: Callable[[], float] = ticks,
    ) -> None:
        """The store's clock is read every `interval_s` seconds, each time within `limit_s`."""
        self._store = store
        self._interval_s = interval_s
        self._limit_s = limit_s
        self._ticks = clock
        self._setting: Setting | None = None  # None: the store has no clock, or was not asked yet
        self._host = HostClock(clock)
        complaints = Complaints("readings of the database's clock")
        self._ticker = Ticker("timekeeper", self._tick, interval_s, complaints)
        self.check = self._host.check
        self.close = self._ticker.close

    def __call__(self) -> float:
        setting = self._setting
        return setting.at(self._ticks()) if setting else time.time()

    async def start(self) -> None:
        """Set the time, before anything goes by it.

        Raises StorageUnavailable, Busy or TimeoutError.
        """
        for _ in range(READINGS_AT_START):
            await self.measure()
        if self._setting:
            self._ticker.start()

    async def measure(self) -> None:
        """Read the store's clock once."""
        async with asyncio.timeout(self._limit_s):
            reading = await self._store.now()
        if reading:
            self._note(reading)
            self._host.note(reading)

    def _note(self, reading: Reading) -> None:
        known, now = self._setting, self._ticks()
        if known is None or known.believes(reading, now):
            ahead_s = known.at(now) - now - reading.offset_s if known else 0.0
            excess_s = max(0.0, ahead_s)
            self._setting = Setting(reading.offset_s, reading.trip_s / 2, now, excess_s)

    async def _tick(self) -> float:
        await self.measure()
        return self._interval_s


class HostClock:
    """How far this host's clock is from the database's. Rooms don't go by it; logs do."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._ticks = clock
        self._ahead_s: float | None = None  # None: nobody has compared them
        self._quiet_until = float("-inf")

    def note(self, reading: Reading) -> None:
        """Compare them. Warn at most once a minute. A round trip may be all of a difference."""
        ahead_s, doubt_s = reading.host_ahead_s, reading.trip_s / 2
        self._ahead_s = ahead_s if abs(ahead_s) > doubt_s else 0.0
        if abs(ahead_s) - doubt_s > WARN_S and self._ticks() >= self._quiet_until:
            self._quiet_until = self._ticks() + WARN_EVERY_S
            logger.warning(
                "this host's clock is %.1f s %s the database's. Rooms go by the database's; set "
                "both right, with NTP",
                abs(ahead_s),
                _side(ahead_s),
            )

    def check(self) -> dict[str, str]:
        """A readiness check, `ok` or what is wrong; none where there is one clock only."""
        ahead_s = self._ahead_s
        if ahead_s is None:
            return {}
        far = abs(ahead_s) > DEGRADED_S
        return {"clock": f"{abs(ahead_s):.0f} s {_side(ahead_s)} the database's" if far else "ok"}


def _side(ahead_s: float) -> str:
    return "ahead of" if ahead_s > 0 else "behind"
