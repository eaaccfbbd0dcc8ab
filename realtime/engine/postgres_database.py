"""Rooms in PostgreSQL. Several processes may write them: the row's version decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.postgres_arrays import bools, texts
from realtime.engine.postgres_connection import PostgresConnection
from realtime.engine.postgres_sql import FIND, KEEP, MIGRATIONS
from realtime.engine.postgres_values import keep_values
from realtime.engine.settling import Migration


class PostgresDatabase:
    """What a round asks of PostgreSQL, one statement each."""

    def __init__(self, params: dict[str, Any]) -> None:
        """`params` are those of `psycopg.connect`."""
        self._connection = PostgresConnection(params)
        self.interrupt = self._connection.interrupt
        self.close = self._connection.close

    def keep(self, commits: Sequence[Commit]) -> list[bool]:
        rows = self._connection.ask(b"keep", KEEP, keep_values(commits))
        kept = {uuid for (uuid,) in rows}
        return [commit.uuid.bytes in kept for commit in commits]

    def find(self, keys: dict[RoomKey, bool]) -> dict[RoomKey, Snapshot]:
        parties, codes = zip(*keys, strict=True)
        wanted = [texts(parties), texts(codes), bools([*keys.values()])]
        return {
            RoomKey(party.decode(), code.decode()): Snapshot(
                UUID(bytes=uuid), int.from_bytes(version, "big"), state
            )
            for party, code, uuid, version, state in self._connection.ask(b"find", FIND, wanted)
        }

    def migrations(self) -> set[Migration]:
        rows = self._connection.ask(b"migrations", MIGRATIONS)
        return {(app.decode(), name.decode()) for app, name in rows}
