"""What this process does beside its rooms so that several of them agree: it says that it lives, and
compares what its sockets were shown with what is stored.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from realtime.core.rows import ABSENT, RoomKey
from realtime.engine.memory import Engine
from realtime.engine.rooms import Rooms
from realtime.engine.store import Busy, StorageUnavailable
from realtime.engine.ticker import Ticker

ROOMS_AT_ONCE = 1000  # whose versions are asked for together


class Watch:
    """Two tickers, one of them slow."""

    def __init__(self, rooms: Rooms, engine: Engine, versions_s: float) -> None:
        """Versions are compared every `versions_s` seconds: what nobody announced is shown then."""
        self._rooms = rooms
        self._engine = engine
        self._versions_s = versions_s
        complaints, interval_s = engine.complaints, engine.peers.interval_s
        self._hearts = Ticker("heartbeat", self._beat, interval_s, complaints)
        self._versions = Ticker("versions", self._compare, versions_s, complaints)

    async def start(self) -> None:
        """Say that this process lives, and listen to what others say, from now on.

        Raises StorageUnavailable, Busy or TimeoutError.
        """
        self._engine.store.on_return(self._storage_returned)
        await self._beat()
        process = self._engine.peers.process
        await self._engine.bus.start(process, self._rooms.heard, self.compare_now)
        self._hearts.start()
        self._versions.start()

    async def close(self) -> None:
        """Look no more. What this process had is gone with it, and peers may know."""
        await self._versions.close()
        await self._hearts.close()
        await self._engine.bus.close()
        with suppress(StorageUnavailable, Busy):
            await self._engine.peers.depart()

    def compare_now(self) -> None:
        """The bus works again: who knows what it did not carry."""
        self._versions.hurry()

    def _storage_returned(self) -> None:
        """A connection was lost, perhaps with the database behind it: the one that answers now may
        never have had what was kept last."""
        self._rooms.forget()
        self._versions.hurry()

    async def _beat(self) -> float:
        async with asyncio.timeout(self._engine.limits.commit_deadline_s):
            await self._engine.peers.beat()
        living = self._engine.peers.living
        if living is not None:
            self._rooms.note_deaths(living)
        return self._engine.peers.interval_s

    async def _compare(self) -> float:
        keys = [*self._rooms.shown()]
        for first in range(0, len(keys), ROOMS_AT_ONCE):
            await self._compare_some(keys[first : first + ROOMS_AT_ONCE])
        return self._versions_s

    async def _compare_some(self, keys: list[RoomKey]) -> None:
        shown = self._rooms.shown()  # before storage is asked, which then knows it, too
        async with asyncio.timeout(self._engine.limits.commit_deadline_s):
            stored = await self._engine.store.versions(keys)
        for key in keys:
            if told := shown.get(key):
                self._rooms.compare(key, told, stored.get(key, ABSENT))
