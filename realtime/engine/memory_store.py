"""Rooms in memory: for tests of the engine and of parties. Nothing survives the process."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from realtime.core.rows import (
    ABSENT,
    Commit,
    JournalRow,
    MatchRow,
    Revision,
    RoomKey,
    RoomRow,
    SeatRow,
    Snapshot,
)
from realtime.engine.store import PRUNED_ENTRIES, PRUNED_ROOMS, Held, Reading, Rejected


class MemoryStore:
    """A store that keeps what it is given in dictionaries, under the same rules as a database."""

    alone = True
    shared = False

    def __init__(self) -> None:
        self.snapshots: dict[RoomKey, Snapshot] = {}
        self.rows: dict[RoomKey, RoomRow] = {}
        self.journals: dict[RoomKey, list[JournalRow]] = {}
        self.seats: dict[RoomKey, dict[str, SeatRow]] = {}
        self.matches: dict[str, MatchRow] = {}
        self.tags: dict[RoomKey, dict[int, int]] = {}  # of journal entries, by version

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def load(self, key: RoomKey) -> Snapshot | None:
        """The room as committed, or None."""
        return self.snapshots.get(key)

    async def confirm(self, key: RoomKey, version: int, tag: int = 0) -> bool:
        """Whether the committed revision is still this one."""
        return self._revision(key) == (version, tag)

    async def commit(self, commit: Commit) -> bool:
        """Keep the batch if the revision still matches and no constraint is broken."""
        key = commit.key
        if self._revision(key) != (commit.base, commit.base_tag):
            return False
        kept = self.seats.get(key, {})
        seats = {player: seat for player, seat in kept.items() if player not in commit.changed}
        seats.update((seat.player_id, seat) for seat in commit.seats)
        _check_values(commit)
        _check(commit.row, list(seats.values()))
        if commit.matches:
            _check_matches(commit.matches, self.matches)
        self.seats[key] = seats
        self.rows[key] = commit.row
        self.journals.setdefault(key, []).extend(commit.journal)
        tags = self.tags.setdefault(key, {})
        tags.update((turn.version, commit.tag) for turn in commit.journal)
        self.matches.update((match.match_id, match) for match in commit.matches)
        self.snapshots[key] = commit.snapshot
        return True

    @asynccontextmanager
    async def hold(self, key: RoomKey) -> AsyncIterator[Held]:
        """The room as committed. There are no others to keep it from."""
        yield Held(await self.load(key), self.commit)

    async def versions(self, keys: Collection[RoomKey]) -> dict[RoomKey, Revision]:
        """The committed revisions of those rooms that exist."""
        return {key: self._revision(key) for key in keys if key in self.snapshots}

    async def passed(self, key: RoomKey, revision: Revision) -> bool:
        """Whether this revision is in the room's journal."""
        return self.tags.get(key, {}).get(revision.version) in (revision.tag, 0)

    def on_return(self, notice: Callable[[], None]) -> None:
        """No connection is ever lost."""

    async def beat(self, process: str) -> frozenset[str]:
        """No other process sees this memory."""
        return frozenset()

    async def depart(self, process: str) -> None:
        """Nobody to tell."""

    async def due(self, parties: Collection[str], now: float, limit: int) -> list[RoomKey]:
        """Rooms of these parties whose alarm has come, the longest overdue first."""
        alarms = [(row.alarm_at, key) for key, row in self.rows.items() if key.party in parties]
        overdue = sorted((at, key) for at, key in alarms if at is not None and at <= now)
        return [key for _, key in overdue[:limit]]

    async def prune(self, now: float) -> bool:
        """Forget rooms that expired, but not their matches."""
        ends = [(row.expires_at, key) for key, row in self.rows.items()]
        expired = sorted((at, key) for at, key in ends if at is not None and at <= now)
        entries = PRUNED_ENTRIES
        for _, key in expired[:PRUNED_ROOMS]:
            journal = self.journals[key]
            forgotten = len(journal[:entries])
            del journal[:forgotten]
            entries -= forgotten
            if not entries:
                return True
            for kept in (self.snapshots, self.rows, self.journals, self.seats, self.tags):
                del kept[key]
        return len(expired) >= PRUNED_ROOMS

    async def now(self) -> Reading | None:
        """This host's clock is the only one."""
        return None

    async def check(self) -> dict[str, str]:
        """Always ready."""
        return {"store": "ok"}

    def _revision(self, key: RoomKey) -> Revision:
        snapshot = self.snapshots.get(key)
        return snapshot.revision if snapshot else ABSENT


def _check_values(commit: Commit) -> None:
    """The columns' types, as far as it is a party that fills them."""
    try:
        for at in _times(commit):
            datetime.fromtimestamp(at, UTC)
        for match in commit.matches:
            for one in match.standings:
                struct.pack("qq", one.rank, one.score)
    except (struct.error, TypeError, ValueError, OverflowError) as problem:
        raise Rejected("a value that no row can hold") from problem


def _times(commit: Commit) -> Iterator[float]:
    row = commit.row
    yield from (at for at in (row.alarm_at, row.expires_at) if at is not None)
    for match in commit.matches:
        yield from (match.started_at, match.ended_at)


def _check(row: RoomRow, seats: list[SeatRow]) -> None:
    """The constraints of the tables."""
    if row.players > row.max_players:
        raise Rejected("more players than the cap")
    if sum(seat.is_host for seat in seats) > 1:
        raise Rejected("two hosts")
    for column in ("username_key", "player_id", "token_hash", "seat_index"):
        _check_distinct(column, seats)


def _check_matches(matches: Sequence[MatchRow], kept: Collection[str]) -> None:
    """The constraints of the tables of matches."""
    if any(match.match_id in kept for match in matches):
        raise Rejected("a match that is kept already")
    _check_distinct("match_id", matches)
    for match in matches:
        _check_distinct("player_id", match.standings)


def _check_distinct(column: str, rows: Sequence[object]) -> None:
    """No value twice in a column; nulls are no values."""
    values = [value for row in rows if (value := getattr(row, column)) is not None]
    if len(set(values)) != len(values):
        raise Rejected(f"duplicate {column}")
