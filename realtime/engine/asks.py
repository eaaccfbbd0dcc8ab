"""What a thread of storage can be asked, an item each. Those that wait together are a round."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from realtime.core.rows import Commit, Revision, RoomKey, Snapshot
from realtime.engine.database import Database, Inspection, Migration
from realtime.engine.store import Reading, Rejected


class Load(NamedTuple):
    """Asks for a room as committed: a Snapshot or None."""

    key: RoomKey


class Confirm(NamedTuple):
    """Asks whether a room's revision, ABSENT when there is no room, is still this one."""

    key: RoomKey
    revision: Revision


class Migrations(NamedTuple):
    """Asks which migrations were applied: a set."""

    def of(self, database: Database) -> set[Migration]:
        return database.migrations()


class InspectDatabase(NamedTuple):
    """Asks for what keeps rooms from being kept: an Inspection."""

    def of(self, database: Database) -> Inspection:
        return database.inspect()


class DueRooms(NamedTuple):
    """Asks which rooms' alarms have come: a list, the longest overdue first."""

    parties: tuple[str, ...]
    now: float
    limit: int

    def of(self, database: Database) -> list[RoomKey]:
        return database.due(*self)


class Prune(NamedTuple):
    """Deletes rooms that expired, up to so many and so much: whether there may be more."""

    now: float
    rooms: int
    entries: int

    def of(self, database: Database) -> bool:
        """Delete expired rooms. A foreign key of another program keeps a room: halve the slice
        until that room is the first one, and postpone its deletion by a day."""
        try:
            return database.prune(*self)
        except Rejected:
            if self.rooms > 1:
                return self._replace(rooms=self.rooms // 2).of(database)
            database.postpone(self.now)
            return True


class Versions(NamedTuple):
    """Asks for the revisions of rooms: a dict of those that exist."""

    keys: tuple[RoomKey, ...]

    def of(self, database: Database) -> dict[RoomKey, Revision]:
        rooms = database.find(dict.fromkeys(self.keys, False)) if self.keys else {}
        return {key: room.revision for key, room in rooms.items()}


class Passed(NamedTuple):
    """Asks whether a room's journal holds this revision."""

    key: RoomKey
    revision: Revision

    def of(self, database: Database) -> bool:
        return database.passed(self.key, self.revision)


class Beat(NamedTuple):
    """Says that a process lives for so long, or (0) ends: which others live."""

    process: str
    lives_s: float

    def of(self, database: Database) -> frozenset[str]:
        return database.beat(*self)


class Now(NamedTuple):
    """Asks for the database's clock: a Reading, or None where it has none of its own."""

    def of(self, database: Database) -> Reading | None:
        return database.now()


class Hold(NamedTuple):
    """Opens a transaction that locks a room: a Snapshot or None. The next item is an EndHold."""

    key: RoomKey

    def of(self, database: Database) -> Snapshot | None:
        return database.hold(self.key)


class EndHold(NamedTuple):
    """Ends the transaction that Hold opened, with a commit to keep or without: was one kept?"""

    commit: Commit | None

    def of(self, database: Database) -> bool:
        return database.end_hold(self.commit)


Lookup: TypeAlias = Load | Confirm
Single: TypeAlias = (
    Migrations
    | InspectDatabase
    | DueRooms
    | Prune
    | Versions
    | Passed
    | Beat
    | Now
    | Hold
    | EndHold
)
Ask: TypeAlias = Lookup | Commit | Single
Answer: TypeAlias = (
    Snapshot
    | bool
    | set[Migration]
    | Inspection
    | list[RoomKey]
    | dict[RoomKey, Revision]
    | frozenset[str]
    | Reading
    | None
)
