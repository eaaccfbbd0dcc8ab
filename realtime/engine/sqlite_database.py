"""Rooms in one SQLite file. One process holds it, one thread writes it: the store is alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine import sqlite_sql as sql
from realtime.engine import sqlite_values as values
from realtime.engine.database import Inspection, Migration, NotMigrated
from realtime.engine.sqlite_claim import SqliteClaim
from realtime.engine.store import Busy, Rejected, StorageUnavailable, Unwritable

_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on the disk before it is acknowledged
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 700",  # ms; others write seldom and briefly: the admin's sessions
)
_UNWRITABLE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY)
_BUSY = "another process writes the database"
_TAKES_NOTHING = "{} takes no writes ({}): look at who owns it, its folder and its disk."
_NO_WAL = "{} can't have a write-ahead log, on a network's file system for instance: move it."
_DAY_S = 86_400.0
_AUTOCOMMIT = {"isolation_level": None}  # transactions are begun and ended in words


class SqliteDatabase:
    """One connection to the file, opened again after a failure."""

    def __init__(self, params: dict[str, Any]) -> None:
        """`params` are those of `sqlite3.connect`."""
        self._params = params
        self._file = Path(params["database"])
        self._claim = SqliteClaim(self._file)
        self._connection: sqlite3.Connection | None = None

    def keep(self, commits: Sequence[Commit], *, patient: bool = True) -> list[bool]:
        if not patient:
            raise Busy(_BUSY)  # there is but one lock, that of the file
        with self._transaction() as connection:
            cursor = connection.cursor()
            kept = [_write_room(cursor, commit) for commit in commits]
            winners = [commit for commit, won in zip(commits, kept, strict=True) if won]
            connection.executemany(sql.RECORD, values.journal(winners))
            connection.executemany(sql.VACATE, values.changed(winners))
            connection.executemany(sql.SEAT, values.seats(winners))
            connection.executemany(sql.FINISH, values.matches(winners))
            connection.executemany(sql.PLACE, values.standings(winners))
        return kept

    def find(self, keys: dict[RoomKey, bool]) -> dict[RoomKey, Snapshot]:
        wanted = msgspec.json.encode([(*key, whole) for key, whole in keys.items()]).decode()
        with self._ready() as connection:
            rows = connection.execute(sql.FIND, (wanted,)).fetchall()
        return {
            RoomKey(party, code): Snapshot(UUID(room_id), version, state)
            for party, code, room_id, version, state in rows
        }

    def due(self, parties: Collection[str], now: float, limit: int) -> list[RoomKey]:
        wanted = msgspec.json.encode([*parties]).decode()
        with self._ready() as connection:
            rows = connection.execute(sql.DUE, (values.timestamp(now), wanted, limit))
            return [RoomKey(*row) for row in rows]

    def prune(self, now: float, rooms: int, entries: int) -> bool:
        with self._transaction() as connection:
            expired = connection.execute(sql.EXPIRED, (values.timestamp(now), rooms)).fetchall()
            for (room,) in expired:
                entries -= connection.execute(sql.FORGET, (room, entries)).rowcount
                if not entries:
                    return True
                for delete in sql.PRUNE:
                    connection.execute(delete, (room,))
        return len(expired) == rooms

    def postpone(self, now: float) -> None:
        with self._transaction() as connection:
            then = values.timestamp(now + _DAY_S)
            connection.execute(sql.POSTPONE, (then, values.timestamp(now)))

    def migrations(self) -> set[Migration]:
        with self._ready() as connection:
            return set(connection.execute(sql.MIGRATIONS))

    def inspect(self) -> Inspection:
        try:
            with self._transaction() as connection:
                connection.execute(sql.NO_CHANGE)
                (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        except Busy:
            return Inspection()  # another process writes it: so it can be written
        except Unwritable as problem:
            return Inspection(_TAKES_NOTHING.format(self._file.name, problem))
        return Inspection() if mode == "wal" else Inspection(_NO_WAL.format(self._file.name))

    def beat(self, process: str, lives_s: float) -> frozenset[str]:
        return frozenset()  # the claim keeps others away

    def hold(self, key: RoomKey) -> Snapshot | None:
        return self.find({key: True}).get(key)

    def end_hold(self, commit: Commit | None) -> bool:
        return commit is not None and self.keep([commit])[0]

    def interrupt(self) -> None:
        if connection := self._connection:
            with suppress(sqlite3.ProgrammingError):  # its own thread has just closed it
                connection.interrupt()

    def close(self) -> None:
        self._disconnect()
        self._claim.release()

    @contextmanager
    def _ready(self) -> Iterator[sqlite3.Connection]:
        """The connection. What goes wrong in the block is said in the store's words."""
        try:
            yield self._connection or self._connect()
        except sqlite3.Error as problem:
            raise self._failed(problem) from problem

    def _connect(self) -> sqlite3.Connection:
        self._claim.take()
        self._connection = sqlite3.connect(**self._params | _AUTOCOMMIT)
        for setting in _SETTINGS:
            self._connection.execute(setting)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._ready() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:  # some failures have rolled back already
                    connection.execute("ROLLBACK")

    def _failed(self, problem: sqlite3.Error) -> Exception:
        if isinstance(problem, (sqlite3.IntegrityError, sqlite3.DataError)):
            return Rejected(str(problem))
        if str(problem).startswith("Error binding parameter"):  # a value of a type of ours
            return Rejected(str(problem))
        if getattr(problem, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return Busy(_BUSY)
        self._disconnect()
        if getattr(problem, "sqlite_errorcode", 0) & 0xFF in _UNWRITABLE:
            return Unwritable(str(problem))
        if str(problem).startswith(("no such table", "no such column")):
            return NotMigrated()
        return StorageUnavailable(str(problem))


def _write_room(cursor: sqlite3.Cursor, commit: Commit) -> bool:
    if commit.alike:
        cursor.execute(sql.UPDATE_ALIKE, values.updated_alike(commit))
    elif commit.base:
        cursor.execute(sql.UPDATE, values.updated(commit))
    else:
        cursor.execute(sql.CREATE, values.created(commit))
    return cursor.rowcount == 1
