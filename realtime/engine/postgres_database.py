"""Rooms in PostgreSQL. Several processes may write them: the row's version decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.database import Inspection, Migration
from realtime.engine.postgres_arrays import bools, float8, int8, texts
from realtime.engine.postgres_connection import Claim, PostgresConnection
from realtime.engine.postgres_sql import (
    BEAT,
    DUE,
    FIND,
    HOLD,
    INSPECT,
    KEEP,
    KEEP_WITH_MATCHES,
    MIGRATIONS,
    POSTPONE,
    PRUNE,
)
from realtime.engine.postgres_values import keep_values, match_values

_STANDBY = "DATABASE_URL names a standby, which takes no writes: let it name the primary."
_READ_ONLY = (
    "the database takes no writes: default_transaction_read_only is on, for the server, the "
    "database or the role."
)
_LACKING = (
    "the role in DATABASE_URL may not do what rooms need: GRANT it {}, or let it own the tables."
)
_UNSAFE = "PostgreSQL runs without {}: a crash of its host can lose what was acknowledged"


class PostgresDatabase:
    """What a round asks of PostgreSQL, one statement each."""

    def __init__(self, params: dict[str, Any], *, claim: Claim | None = None) -> None:
        """`params` are those of `psycopg.connect`; `claim` is that of PostgresConnection."""
        self._connection = PostgresConnection(params, claim=claim)
        self.interrupt = self._connection.interrupt
        self.close = self._connection.close

    def keep(self, commits: Sequence[Commit], *, patient: bool = True) -> list[bool]:
        name, sql, values = b"keep", KEEP, keep_values(commits)
        if any(commit.matches for commit in commits):
            name, sql = b"keep with matches", KEEP_WITH_MATCHES
            values += match_values(commits)
        rows = self._connection.ask(name, sql, values, patient=patient)
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

    def due(self, parties: Collection[str], now: float, limit: int) -> list[RoomKey]:
        wanted = [float8(now), texts([*parties]), int8(limit)]
        rows = self._connection.ask(b"due", DUE, wanted)
        return [RoomKey(party.decode(), code.decode()) for party, code in rows]

    def prune(self, now: float, rooms: int, entries: int) -> bool:
        slices = [float8(now), int8(rooms), int8(entries)]
        ((more,),) = self._connection.ask(b"prune", PRUNE, slices)
        return bool.from_bytes(more, "big")

    def postpone(self, now: float) -> None:
        self._connection.ask(b"postpone", POSTPONE, [float8(now)])

    def migrations(self) -> set[Migration]:
        rows = self._connection.ask(b"migrations", MIGRATIONS)
        return {(app.decode(), name.decode()) for app, name in rows}

    def inspect(self) -> Inspection:
        ((standby, read_only, lacking, unsafe),) = self._connection.ask(b"inspect", INSPECT)
        warning = _UNSAFE.format(unsafe.decode()) if unsafe else ""
        if bool.from_bytes(standby, "big"):
            return Inspection(_STANDBY, warning)
        if bool.from_bytes(read_only, "big"):
            return Inspection(_READ_ONLY, warning)
        return Inspection(_LACKING.format(lacking.decode()) if lacking else "", warning)

    def beat(self, process: str, lives_s: float) -> frozenset[str]:
        rows = self._connection.ask(b"beat", BEAT, [process.encode(), float8(lives_s)])
        return frozenset(peer.decode() for (peer,) in rows)

    def hold(self, key: RoomKey) -> Snapshot | None:
        self._connection.tell("BEGIN")
        rows = self._connection.ask(b"hold", HOLD, [part.encode() for part in key])
        for uuid, version, state in rows:
            return Snapshot(UUID(bytes=uuid), int.from_bytes(version, "big"), state)
        return None

    def end_hold(self, commit: Commit | None) -> bool:
        kept = False
        try:
            kept = commit is not None and self.keep([commit])[0]
        finally:
            if self._connection.connected:  # else there is nothing to end, and nothing held
                self._connection.tell("COMMIT" if kept else "ROLLBACK")
        return kept
