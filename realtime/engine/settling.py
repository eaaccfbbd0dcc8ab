"""What a round of storage is made of: reads asked together, commits kept together or alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.store import Busy, Rejected, StorageUnavailable

Migration: TypeAlias = tuple[str, str]  # app, name


class Load(NamedTuple):
    """Asks for a room as committed: a Snapshot or None."""

    key: RoomKey


class Confirm(NamedTuple):
    """Asks whether a room's version, 0 when there is no room, is still `version`."""

    key: RoomKey
    version: int


class Migrations(NamedTuple):
    """Asks which migrations were applied: a set."""


Ask: TypeAlias = Load | Confirm | Migrations | Commit
Answer: TypeAlias = Snapshot | bool | set[Migration] | None


class Database(Protocol):
    """One connection, opened when needed and again after it broke. Used by one thread."""

    def keep(self, commits: Sequence[Commit]) -> list[bool]:
        """Keep them in one transaction; False for those that lost. At most one for each room.

        Raises Rejected, Busy (nothing was kept) or StorageUnavailable (perhaps all was).
        """

    def find(self, keys: dict[RoomKey, bool]) -> dict[RoomKey, Snapshot]:
        """The rooms that exist; those mapped to True with their state, others with none."""

    def migrations(self) -> set[Migration]:
        """The migrations that were applied."""

    def interrupt(self) -> None:
        """Break off what hangs. The one method that another thread may call."""

    def close(self) -> None:
        """Close the connection."""


class Settling:
    """The work of a round: every ask of the engine, answered by a database."""

    def __init__(self, database: Database) -> None:
        self.interrupt = database.interrupt
        self.close = database.close
        self._database = database

    def run(self, items: Sequence[Ask]) -> list[Answer | Exception]:
        """An answer for each, in order. Reads see what earlier rounds kept."""
        reads = [item for item in items if not isinstance(item, Commit)]
        found = self._read(reads) if reads else iter(())
        kept = self._settle([item for item in items if isinstance(item, Commit)])
        return [next(kept if isinstance(item, Commit) else found) for item in items]

    def _read(self, reads: Sequence[Load | Confirm | Migrations]) -> Iterator[Answer]:
        wanted: dict[RoomKey, bool] = {}
        for read in reads:
            if not isinstance(read, Migrations):
                wanted[read.key] = isinstance(read, Load) or wanted.get(read.key, False)
        rooms = self._database.find(wanted) if wanted else {}
        return iter([self._answer(read, rooms) for read in reads])

    def _answer(self, read: Load | Confirm | Migrations, rooms: dict[RoomKey, Snapshot]) -> Answer:
        if isinstance(read, Migrations):
            return self._database.migrations()
        room = rooms.get(read.key)
        if isinstance(read, Load):
            return room
        return (room.version if room else 0) == read.version

    def _settle(self, commits: list[Commit]) -> Iterator[bool | Exception]:
        """All in one transaction. If it was rolled back, each alone: only the guilty one fails."""
        if len(commits) > 1 and len({commit.key for commit in commits}) == len(commits):
            try:
                return iter(self._database.keep(commits))
            except (Rejected, Busy):
                pass
        return iter([self._alone(commit) for commit in commits])

    def _alone(self, commit: Commit) -> bool | Exception:
        try:
            return self._database.keep([commit])[0]
        except (Rejected, Busy, StorageUnavailable) as problem:
            return problem
