"""Rooms in memory: for tests of the engine and of parties. Nothing survives the process."""

from __future__ import annotations

from realtime.core.rows import Commit, JournalRow, RoomKey, RoomRow, SeatRow, Snapshot
from realtime.engine.store import Rejected


class MemoryStore:
    """A store that keeps what it is given in dictionaries, under the same rules as a database."""

    alone = True

    def __init__(self) -> None:
        self.snapshots: dict[RoomKey, Snapshot] = {}
        self.rows: dict[RoomKey, RoomRow] = {}
        self.journals: dict[RoomKey, list[JournalRow]] = {}
        self.seats: dict[RoomKey, dict[str, SeatRow]] = {}

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def load(self, key: RoomKey) -> Snapshot | None:
        """The room as committed, or None."""
        return self.snapshots.get(key)

    async def confirm(self, key: RoomKey, version: int) -> bool:
        """Whether the committed version is still `version`."""
        return self._version(key) == version

    async def commit(self, commit: Commit) -> bool:
        """Keep the batch if the version still matches and no constraint is broken."""
        key = commit.key
        if self._version(key) != commit.base:
            return False
        kept = self.seats.get(key, {})
        seats = {player: seat for player, seat in kept.items() if player not in commit.changed}
        seats.update((seat.player_id, seat) for seat in commit.seats)
        _check(commit.row, list(seats.values()))
        self.seats[key] = seats
        self.rows[key] = commit.row
        self.journals.setdefault(key, []).extend(commit.journal)
        self.snapshots[key] = commit.snapshot
        return True

    async def check(self) -> dict[str, str]:
        """Always ready."""
        return {"store": "ok"}

    def _version(self, key: RoomKey) -> int:
        snapshot = self.snapshots.get(key)
        return snapshot.version if snapshot else 0


def _check(row: RoomRow, seats: list[SeatRow]) -> None:
    """The constraints of the tables."""
    if row.players > row.max_players:
        raise Rejected("more players than the cap")
    if sum(seat.is_host for seat in seats) > 1:
        raise Rejected("two hosts")
    for column in ("username_key", "player_id", "token_hash", "seat_index"):
        values = [v for seat in seats if (v := getattr(seat, column)) is not None]
        if len(set(values)) != len(values):
            raise Rejected(f"duplicate {column}")
