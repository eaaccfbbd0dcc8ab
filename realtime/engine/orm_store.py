"""The store behind Django's DATABASES: SQLite or PostgreSQL. The only writer of room rows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from functools import cache
from math import inf
from time import monotonic
from typing import TypeAlias, cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader

from contracts.reasons import database_reason
from realtime.core.rows import Commit, Revision, RoomKey, Snapshot
from realtime.engine.asks import (
    Answer,
    Ask,
    Beat,
    Confirm,
    DueRooms,
    InspectDatabase,
    Load,
    Migrations,
    Now,
    Passed,
    Prune,
    Versions,
)
from realtime.engine.database import Database, Inspection, NotMigrated
from realtime.engine.holds import Holds
from realtime.engine.postgres_connection import Claim
from realtime.engine.postgres_database import PostgresDatabase
from realtime.engine.rounds import COMMITS_WAITING, Rounds
from realtime.engine.settling import Settling
from realtime.engine.sqlite_database import SqliteDatabase
from realtime.engine.sqlite_file import Replaced
from realtime.engine.store import (
    PRUNED_ENTRIES,
    PRUNED_ROOMS,
    Held,
    Reading,
    StorageUnavailable,
    unheard,
)

CHECK_LIMIT_S = 2.0
PROCESS_LIVES_S = 6.0
HOLDS = 4  # rooms that are held at a time; each costs a connection once it is needed
CHECK_KEPT_S = 1.0  # how old an answer may be: whoever asks, and how often, commits go first

logger = logging.getLogger(__name__)

_Rounds: TypeAlias = Rounds[Ask, Answer]


class OrmStore:
    """Rooms in the database that `DATABASES[alias]` describes, read and written by bulk SQL.

    SQLite: one thread does everything, so a read queues behind the commit under way. PostgreSQL:
    reads and writes have a thread and a connection each.
    """

    def __init__(
        self,
        alias: str = DEFAULT_DB_ALIAS,
        *,
        claim: Claim | None = None,
        lives_s: float = PROCESS_LIVES_S,
        max_waiting: int = COMMITS_WAITING,
    ) -> None:
        """`claim` says with whom PostgreSQL is shared; SQLite's store is always alone. A process is
        taken for dead `lives_s` seconds after its last beat."""
        self._checking: asyncio.Task[dict[str, str]] | None = None
        self._check_again_at = inf
        params = connections[alias].get_connection_params()
        self.alone = connections[alias].vendor == "sqlite"
        self.shared = claim is Claim.TOGETHER
        self._lives_s = lives_s
        self._notice: Callable[[], None] = unheard

        def rounds(database: Database, name: str) -> _Rounds:
            return _Rounds(Settling(database), name, max_waiting=max_waiting)

        def postgres(claim: Claim | None = None) -> Database:
            return PostgresDatabase(params, claim=claim, on_return=self._returned)

        if self.alone:
            database = SqliteDatabase(params, on_return=self._returned)
            self._writes = self._reads = rounds(database, "rooms")
            self._threads = [self._writes]
            holding = self._threads
        else:
            self._writes = rounds(postgres(claim), "room writes")
            self._reads = rounds(postgres(), "room reads")
            holding = [rounds(postgres(), f"room holds {n}") for n in range(HOLDS)]
            self._threads = [self._writes, self._reads, *holding]
        self._holds = Holds(holding, self.load, self.commit)

    async def start(self) -> None:
        """Connect, and see that the tables are there, and that rooms can be kept in them."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()
        try:
            if missing := await self._missing_migrations(self._writes):
                raise StorageUnavailable(missing)
            found = cast("Inspection", await self._writes.call(InspectDatabase()))
            if found.refusal:
                raise StorageUnavailable(found.refusal)
            if found.warning:
                logger.warning("%s", found.warning)
        except StorageUnavailable:
            await self.close()
            raise

    async def close(self) -> None:
        await asyncio.gather(*(thread.close() for thread in self._threads))
        if self._checking:
            await asyncio.wait([self._checking])

    async def load(self, key: RoomKey) -> Snapshot | None:
        return cast("Snapshot | None", await self._reads.call(Load(key)))

    async def confirm(self, key: RoomKey, version: int, tag: int = 0) -> bool:
        return cast("bool", await self._reads.call(Confirm(key, Revision(version, tag))))

    async def commit(self, commit: Commit) -> bool:
        return cast("bool", await self._writes.call(commit))

    def hold(self, key: RoomKey) -> AbstractAsyncContextManager[Held]:
        return self._holds.hold(key)

    async def versions(self, keys: Collection[RoomKey]) -> dict[RoomKey, Revision]:
        return cast("dict[RoomKey, Revision]", await self._reads.call(Versions(tuple(keys))))

    async def passed(self, key: RoomKey, revision: Revision) -> bool:
        return cast("bool", await self._reads.call(Passed(key, revision)))

    def on_return(self, notice: Callable[[], None]) -> None:
        self._notice = notice

    def _returned(self) -> None:
        """In a thread: storage may be another one than before."""
        self._loop.call_soon_threadsafe(self._doubt)

    def _doubt(self) -> None:
        self._check_again_at = 0.0
        self._notice()

    async def beat(self, process: str) -> frozenset[str]:
        return await self._beat(process, self._lives_s) if self.shared else frozenset()

    async def depart(self, process: str) -> None:
        if self.shared:
            await self._beat(process, 0)

    async def _beat(self, process: str, lives_s: float) -> frozenset[str]:
        return cast("frozenset[str]", await self._writes.call(Beat(process, lives_s)))

    async def due(self, parties: Collection[str], now: float, limit: int) -> list[RoomKey]:
        asked = DueRooms(tuple(parties), now, limit)
        return cast("list[RoomKey]", await self._reads.call(asked))

    async def prune(self, now: float) -> bool:
        asked = Prune(now, PRUNED_ROOMS, PRUNED_ENTRIES)
        return cast("bool", await self._writes.call(asked))

    async def now(self) -> Reading | None:
        return cast("Reading | None", await self._reads.call(Now()))

    async def check(self) -> dict[str, str]:
        """One question for all who ask at a time, whose answer is good for CHECK_KEPT_S."""
        if self._checking is None or monotonic() >= self._check_again_at:
            self._check_again_at = inf
            self._checking = asyncio.create_task(self._check())
        return await asyncio.shield(self._checking)  # who goes away leaves the others their answer

    async def _check(self) -> dict[str, str]:
        try:
            return await self._findings()
        finally:
            self._check_again_at = monotonic() + CHECK_KEPT_S

    async def _findings(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(CHECK_LIMIT_S):
                missing = await self._missing_migrations(self._writes)  # whose claim it is, too
        except NotMigrated as problem:
            return {"database": "ok", "migrations": str(problem)}
        except Replaced as problem:
            return {"database": str(problem)}
        except (StorageUnavailable, TimeoutError) as problem:
            return {"database": database_reason(problem) or "does not answer"}
        return {"database": "ok", "migrations": missing or "ok"}

    async def _missing_migrations(self, rounds: _Rounds) -> str:
        """What to do about migrations that were not applied; empty when all were."""
        applied = cast("set[tuple[str, str]]", await rounds.call(Migrations()))
        missing = [".".join(leaf) for leaf in _leaves() if leaf not in applied]
        return f"not applied: {', '.join(missing)}; run manage.py migrate" if missing else ""


@cache
def _leaves() -> list[tuple[str, str]]:
    """The newest migration of every app; those before it were applied if it was."""
    graph = MigrationLoader(None, ignore_no_migrations=True).graph
    return cast("list[tuple[str, str]]", graph.leaf_nodes())
