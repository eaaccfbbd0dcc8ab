"""Looks once a second for rooms whose alarms are due, whoever held them, and wakes them here."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from realtime.core.rows import RoomKey
from realtime.engine.memory import Engine
from realtime.engine.rooms import Rooms
from realtime.engine.ticker import Ticker

ROOMS_MAX = 1000  # seen at one look, beside those that are stuck; the others at the next
AGAIN_S = 0.1  # until then
PAUSE_MAX_S = 64.0  # between two tries to wake a room that stays overdue
STUCK_MAX = 10_000  # with more of them, rooms that come due later are seen when these are not


class Stuck(NamedTuple):
    """A room that was woken and is still overdue: it can't be read, or storage is slow."""

    next_try: float  # seconds since the epoch
    pause_s: float


class Clock:
    """One process's clock. A room that this process holds rings by itself; this one misses none."""

    def __init__(self, rooms: Rooms, engine: Engine) -> None:
        self._rooms = rooms
        self._engine = engine
        self._stuck: dict[RoomKey, Stuck] = {}
        self._prune_at = 0.0
        ticker = Ticker("clock", self._look, self._interval_s, engine.complaints)
        self.start, self.close = ticker.start, ticker.close

    async def tick(self) -> bool:
        """Wake the rooms that are due, and then let go of those that expired. True: there may be
        more of them than one look shows."""
        now = self._engine.clock()
        limit = ROOMS_MAX + min(len(self._stuck), STUCK_MAX)  # they don't keep others from sight
        async with self._deadline():
            due = await self._engine.store.due(self._rooms.parties, now, limit)
        self._wake_all(due, now)
        if now >= self._prune_at:
            await self._prune(now)
        return len(due) == limit

    async def _prune(self, now: float) -> None:
        """A failure is told, and tried again an interval later: it holds up no alarm."""
        self._prune_at = now + self._engine.limits.prune_interval_s
        async with self._deadline():
            if await self._engine.store.prune(now):
                self._prune_at = now  # there is more

    def _deadline(self) -> asyncio.Timeout:
        return asyncio.timeout(self._engine.limits.commit_deadline_s)

    def _wake_all(self, due: list[RoomKey], now: float) -> None:
        stuck = {key: self._stuck[key] for key in due if key in self._stuck}
        for key in due:
            if key not in stuck or stuck[key].next_try <= now:
                stuck[key] = self._wake(key, now, stuck.get(key))
        self._stuck = stuck

    def _wake(self, key: RoomKey, now: float, known: Stuck | None) -> Stuck:
        """Wake a room. It is off the list at the next look, unless that did not help."""
        self._rooms.wake(key)
        pause_s = min(known.pause_s * 2, PAUSE_MAX_S) if known else self._interval_s
        return Stuck(now + pause_s, pause_s)

    @property
    def _interval_s(self) -> float:
        return self._engine.limits.clock_interval_s

    async def _look(self) -> float:
        return min(AGAIN_S, self._interval_s) if await self.tick() else self._interval_s
