"""What a round asks of a database: SQLite or PostgreSQL, by bulk SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.store import StorageUnavailable

Migration: TypeAlias = tuple[str, str]  # app, name


class NotMigrated(StorageUnavailable):
    """The tables are missing, or of another age than this program."""

    def __init__(self) -> None:
        super().__init__(
            "the database's tables are not those of this program: run manage.py migrate"
        )


class Inspection(NamedTuple):
    """What was found, a sentence each; empty where there is nothing to say."""

    refusal: str = ""  # no commit would be kept
    warning: str = ""  # what is kept may be lost


class Database(Protocol):
    """One connection, opened when needed and again after it broke. Used by one thread."""

    def keep(self, commits: Sequence[Commit], *, patient: bool = True) -> list[bool]:
        """Keep them in one transaction; False for each that lost. No room may occur twice.

        Not `patient`: this round has waited for a lock in vain, and must not wait like that again.
        Raises Rejected, Busy (then nothing was kept) or StorageUnavailable (perhaps all was), or
        whatever befell it before it asked: a value can't be written.
        """

    def find(self, keys: dict[RoomKey, bool]) -> dict[RoomKey, Snapshot]:
        """Those rooms that exist; with their state where the key is mapped to True."""

    def due(self, parties: Collection[str], now: float, limit: int) -> list[RoomKey]:
        """Rooms of these parties whose alarm has come, the longest overdue first."""

    def prune(self, now: float, rooms: int, entries: int) -> bool:
        """Delete rooms that expired, in one transaction, the oldest first: so many at most, with so
        many entries of their journals. A room goes with its last entry. Whether there may be more.
        Raises Rejected when a foreign key keeps one of them.
        """

    def postpone(self, now: float) -> None:
        """Put the deletion of the room that expired first off by a day."""

    def migrations(self) -> set[Migration]:
        """The migrations that were applied."""

    def inspect(self) -> Inspection:
        """Look for what keeps rooms from being kept, or kept for good. Asked once, at the start."""

    def beat(self, process: str, lives_s: float) -> frozenset[str]:
        """Note that a process lives for so long from now on. The other processes that live."""

    def hold(self, key: RoomKey) -> Snapshot | None:
        """Begin a transaction in which nobody else can change the room, and read it."""

    def end_hold(self, commit: Commit | None) -> bool:
        """End that transaction: keep the commit, if there is one. Raises as `keep` does."""

    def interrupt(self) -> None:
        """Break off what hangs. The one method that another thread may call."""

    def close(self) -> None:
        """Close the connection."""
