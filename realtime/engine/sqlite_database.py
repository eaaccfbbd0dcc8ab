"""Rooms in one SQLite file. One process holds it, one thread writes it: the store is alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.settling import Migration, NotMigrated
from realtime.engine.sqlite_claim import SqliteClaim
from realtime.engine.store import Busy, Rejected, StorageUnavailable

_Values: TypeAlias = tuple[Any, ...]

_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on the disk before it is acknowledged
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 1000",  # ms; others write seldom and briefly: the admin's sessions
)
_AUTOCOMMIT = {"isolation_level": None}  # transactions are begun and ended in words
_UPDATE = """
    UPDATE rooms SET visibility = ?, status = ?, phase = ?, max_players = ?, players = ?,
        spectators = ?, ruleset_config = ?, seq = ?, state = ?, alarm_at = ?, updated_at = ?,
        version = ?
    WHERE room_id = ? AND version = ?"""
_CREATE = """
    INSERT INTO rooms (visibility, status, phase, max_players, players, spectators, ruleset_config,
        seq, state, alarm_at, updated_at, version, room_id, party, code, ruleset_id, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""
_RECORD = """
    INSERT INTO room_journal (room_id, version, at, command, actor, entry)
    VALUES (?, ?, ?, ?, ?, ?)"""
_VACATE = "DELETE FROM room_seats WHERE room_id = ? AND player_id = ?"
_SEAT = """
    INSERT INTO room_seats (room_id, player_id, username, username_key, role, token_hash, is_host,
        seat_index, joined_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_FIND = """
    SELECT party, code, room_id, version,
        CASE WHEN json_extract(wanted.value, '$[2]') THEN state ELSE x'' END
    FROM json_each(?) AS wanted
    JOIN rooms ON party = json_extract(wanted.value, '$[0]')
        AND code = json_extract(wanted.value, '$[1]')"""


class SqliteDatabase:
    """One connection to the file, opened again after a failure."""

    def __init__(self, params: dict[str, Any]) -> None:
        """`params` are those of `sqlite3.connect`."""
        self._params = params
        self._claim = SqliteClaim(Path(params["database"]))
        self._connection: sqlite3.Connection | None = None

    def keep(self, commits: Sequence[Commit]) -> list[bool]:
        with self._transaction() as connection:
            kept = [_write_room(connection, commit) for commit in commits]
            winners = [commit for commit, won in zip(commits, kept, strict=True) if won]
            connection.executemany(_RECORD, _journal(winners))
            connection.executemany(_VACATE, _changed(winners))
            connection.executemany(_SEAT, _seats(winners))
        return kept

    def find(self, keys: dict[RoomKey, bool]) -> dict[RoomKey, Snapshot]:
        wanted = msgspec.json.encode([(*key, whole) for key, whole in keys.items()]).decode()
        with self._ready() as connection:
            rows = connection.execute(_FIND, (wanted,)).fetchall()
        return {
            RoomKey(party, code): Snapshot(UUID(room_id), version, state)
            for party, code, room_id, version, state in rows
        }

    def migrations(self) -> set[Migration]:
        with self._ready() as connection:
            return set(connection.execute("SELECT app, name FROM django_migrations"))

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
        if isinstance(problem, sqlite3.IntegrityError):
            return Rejected(str(problem))
        if getattr(problem, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return Busy("another process writes the database")
        self._disconnect()
        if str(problem).startswith(("no such table", "no such column")):
            return NotMigrated()
        return StorageUnavailable(str(problem))


def _write_room(connection: sqlite3.Connection, commit: Commit) -> bool:
    row, room = commit.row, commit.uuid.hex
    columns = (
        row.visibility,
        row.status,
        row.phase,
        row.max_players,
        row.players,
        row.spectators,
        row.settings.decode(),
        row.seq,
        row.state,
        None if row.alarm_at is None else _timestamp(row.alarm_at),
        _timestamp(commit.journal[-1].at),
        commit.version,
    )
    if commit.base:
        return connection.execute(_UPDATE, (*columns, room, commit.base)).rowcount == 1
    party, code = commit.key
    created = (*columns, room, party, code, party, _timestamp(commit.journal[0].at))
    return connection.execute(_CREATE, created).rowcount == 1


def _journal(commits: Sequence[Commit]) -> Iterator[_Values]:
    for commit in commits:
        room = commit.uuid.hex
        for turn in commit.journal:
            at, entry = _timestamp(turn.at), turn.entry.decode()
            yield room, turn.version, at, turn.command, turn.actor, entry


def _changed(commits: Sequence[Commit]) -> Iterator[_Values]:
    for commit in commits:
        if commit.base:  # a new room has nothing to replace
            room = commit.uuid.hex
            for player_id in commit.changed:
                yield room, player_id


def _seats(commits: Sequence[Commit]) -> Iterator[_Values]:
    for commit in commits:
        room = commit.uuid.hex
        for seat in commit.seats:
            yield (
                room,
                seat.player_id,
                seat.username,
                seat.username_key,
                seat.role,
                seat.token_hash,
                seat.is_host,
                seat.seat_index,
                _timestamp(seat.joined_at),
            )


@lru_cache(256)
def _timestamp(at: float) -> str:
    """Seconds since the epoch, as Django writes a time to SQLite."""
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat(" ")
