"""The store behind Django's DATABASES: SQLite or PostgreSQL. The only writer of room rows."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import cache
from math import inf
from time import monotonic
from typing import TypeAlias, cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.postgres_database import PostgresDatabase
from realtime.engine.rounds import COMMITS_WAITING, Rounds
from realtime.engine.settling import (
    Answer,
    Ask,
    Confirm,
    Database,
    DueRooms,
    Load,
    Migrations,
    NotMigrated,
    Prune,
    Settling,
)
from realtime.engine.sqlite_database import SqliteDatabase
from realtime.engine.store import PRUNED_ENTRIES, PRUNED_ROOMS, StorageUnavailable

CHECK_LIMIT_S = 2.0
CHECK_KEPT_S = 1.0  # how old an answer may be: whoever asks, and how often, commits go first

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
        claim: bool = False,
        max_waiting: int = COMMITS_WAITING,
    ) -> None:
        """With `claim`, which SQLite's store always has, no second one like it can start."""
        self._checking: asyncio.Task[dict[str, str]] | None = None
        self._check_again_at = inf
        params = connections[alias].get_connection_params()
        self.alone = connections[alias].vendor == "sqlite"

        def rounds(database: Database, name: str) -> _Rounds:
            return _Rounds(Settling(database), name, max_waiting=max_waiting)

        if self.alone:
            self._writes = self._reads = rounds(SqliteDatabase(params), "rooms")
        else:
            self._writes = rounds(PostgresDatabase(params, claim=claim), "room writes")
            self._reads = rounds(PostgresDatabase(params), "room reads")

    async def start(self) -> None:
        """Connect, and see that the tables are there."""
        self._writes.start()
        if self._reads is not self._writes:
            self._reads.start()
        try:
            if missing := await self._missing_migrations(self._writes):
                raise StorageUnavailable(missing)
        except StorageUnavailable:
            await self.close()
            raise

    async def close(self) -> None:
        await asyncio.gather(self._writes.close(), self._reads.close())
        if self._checking:
            await asyncio.wait([self._checking])

    async def load(self, key: RoomKey) -> Snapshot | None:
        return cast("Snapshot | None", await self._reads.call(Load(key)))

    async def confirm(self, key: RoomKey, version: int) -> bool:
        return cast("bool", await self._reads.call(Confirm(key, version)))

    async def commit(self, commit: Commit) -> bool:
        return cast("bool", await self._writes.call(commit))

    async def due(self, parties: Collection[str], now: float, limit: int) -> list[RoomKey]:
        asked = DueRooms(tuple(parties), now, limit)
        return cast("list[RoomKey]", await self._reads.call(asked))

    async def prune(self, now: float) -> bool:
        asked = Prune(now, PRUNED_ROOMS, PRUNED_ENTRIES)
        return cast("bool", await self._writes.call(asked))

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
        except (StorageUnavailable, TimeoutError):
            return {"database": "does not answer"}
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
