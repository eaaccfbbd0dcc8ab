"""Stores that fail on purpose. Each class is one named fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.memory_store import MemoryStore
from realtime.engine.store import Held, Rejected, StorageUnavailable


class CountingStore(MemoryStore):
    """Keeps everything, and counts what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = self.confirms = self.holds = 0
        self.commits: list[Commit] = []

    async def load(self, key: RoomKey) -> Snapshot | None:
        self.loads += 1
        return await super().load(key)

    async def confirm(self, key: RoomKey, version: int, tag: int = 0) -> bool:
        self.confirms += 1
        return await super().confirm(key, version, tag)

    async def commit(self, commit: Commit) -> bool:
        self.commits.append(commit)
        return await super().commit(commit)

    @asynccontextmanager
    async def hold(self, key: RoomKey) -> AsyncIterator[Held]:
        self.holds += 1
        async with super().hold(key) as held:
            yield held


class SharedStore(CountingStore):
    """One of several writers: memory must confirm what it believes."""

    alone = False
    shared = True


class OvertakenStore(SharedStore):
    """Others are first once, with whoever has just read the room."""

    overtaking = False

    async def commit(self, commit: Commit) -> bool:
        overtaken, self.overtaking = self.overtaking, False
        return not overtaken and await super().commit(commit)


class PausedStore(CountingStore):
    """Every commit waits until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def commit(self, commit: Commit) -> bool:
        await self.gate.wait()
        return await super().commit(commit)


class LostAnswerStore(CountingStore):
    """The next commit is kept, but nobody learns it: the connection is lost before the answer."""

    failing = False

    async def commit(self, commit: Commit) -> bool:
        kept = await super().commit(commit)
        if self.failing:
            self.failing = False
            raise StorageUnavailable("connection lost")
        return kept


class DownStore(CountingStore):
    """Storage refuses everything while `down`."""

    down = False
    refused = 0

    async def load(self, key: RoomKey) -> Snapshot | None:
        self._refuse_when_down()
        return await super().load(key)

    async def commit(self, commit: Commit) -> bool:
        self._refuse_when_down()
        return await super().commit(commit)

    async def due(self, parties: Collection[str], now: float, limit: int) -> list[RoomKey]:
        self._refuse_when_down()
        return await super().due(parties, now, limit)

    async def prune(self, now: float) -> bool:
        self._refuse_when_down()
        return await super().prune(now)

    def _refuse_when_down(self) -> None:
        if self.down:
            self.refused += 1
            raise StorageUnavailable("no connection")


class RejectingStore(CountingStore):
    """A constraint refuses every commit of one room."""

    rejected: RoomKey | None = None

    async def commit(self, commit: Commit) -> bool:
        if commit.key == self.rejected:
            raise Rejected("room_seats_username_key")
        return await super().commit(commit)


class AlarmRejectingStore(CountingStore):
    """A constraint refuses whatever an alarm does."""

    async def commit(self, commit: Commit) -> bool:
        if any(row.command == "alarm" for row in commit.journal):
            raise Rejected("matches_pkey")
        return await super().commit(commit)


class UnprunableStore(CountingStore):
    """Expired rooms can't be deleted."""

    refused = 0

    async def prune(self, now: float) -> bool:
        self.refused += 1
        raise StorageUnavailable("it takes too long")


class UnwritableStore(CountingStore):
    """What is to be kept can't be written down."""

    async def commit(self, commit: Commit) -> bool:
        raise OverflowError("timestamp out of range")


class UnwritableAlarmStore(CountingStore):
    """What an alarm does can't be written down."""

    async def commit(self, commit: Commit) -> bool:
        if any(row.command == "alarm" for row in commit.journal):
            raise OverflowError("timestamp out of range")
        return await super().commit(commit)


class RejectingAlarmStore(CountingStore):
    """A constraint refuses what one alarm does."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.rang: set[bytes] = set()
        self._name = f'"name":"{name}"'.encode()

    async def commit(self, commit: Commit) -> bool:
        alarms = [row.entry for row in commit.journal if row.command == "alarm"]
        if any(self._name in entry for entry in alarms):
            raise Rejected("matches_pkey")
        self.rang |= {entry.split(b'"name":"')[1].split(b'"')[0] for entry in alarms}
        return await super().commit(commit)
