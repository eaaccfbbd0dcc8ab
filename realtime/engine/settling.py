"""What a round of storage does: rooms are found together, and kept together or alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
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


class DueRooms(NamedTuple):
    """Asks which rooms' alarms have come: a list, the longest overdue first."""

    parties: tuple[str, ...]
    now: float
    limit: int


class Prune(NamedTuple):
    """Deletes rooms that expired, up to so many and so much: whether there may be more."""

    now: float
    rooms: int
    entries: int


class Versions(NamedTuple):
    """Asks for the versions of rooms: a dict of those that exist."""

    keys: tuple[RoomKey, ...]


class Beat(NamedTuple):
    """Says that a process lives for so long, or (0) ends: which others live."""

    process: str
    lives_s: float


class Hold(NamedTuple):
    """Opens a transaction that locks a room: a Snapshot or None. The next item is an EndHold."""

    key: RoomKey


class EndHold(NamedTuple):
    """Ends the transaction that Hold opened, with a commit to keep or without: was one kept?"""

    commit: Commit | None


Lookup: TypeAlias = Load | Confirm
Single: TypeAlias = Migrations | DueRooms | Prune | Versions | Beat | Hold | EndHold
Ask: TypeAlias = Lookup | Commit | Single
Answer: TypeAlias = (
    Snapshot | bool | set[Migration] | list[RoomKey] | dict[RoomKey, int] | frozenset[str] | None
)


class NotMigrated(StorageUnavailable):
    """The tables are missing, or of another age than this program."""

    def __init__(self) -> None:
        super().__init__(
            "the database's tables are not those of this program: run manage.py migrate"
        )


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
        """

    def migrations(self) -> set[Migration]:
        """The migrations that were applied."""

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


class Settling:
    """The work of a round, done by a database."""

    def __init__(self, database: Database) -> None:
        self.interrupt = database.interrupt
        self.close = database.close
        self._database = database

    def run(self, items: Sequence[Ask]) -> list[Answer | Exception]:
        """An answer for each, in order. Reads see all that earlier rounds kept."""
        lookups = [item for item in items if isinstance(item, (Load, Confirm))]
        commits = [item for item in items if isinstance(item, Commit)]
        found = iter(self._find(lookups))
        kept = iter(self._keep(commits))
        answers: list[Answer | Exception] = []
        for item in items:
            if isinstance(item, Commit):
                answers.append(next(kept))
            elif isinstance(item, (Load, Confirm)):
                answers.append(next(found))
            else:
                answers.append(self._alone(item))
        return answers

    def _find(self, lookups: list[Lookup]) -> Sequence[Answer | Exception]:
        wanted: dict[RoomKey, bool] = {}
        for lookup in lookups:
            wanted[lookup.key] = isinstance(lookup, Load) or wanted.get(lookup.key, False)
        try:
            rooms = self._database.find(wanted) if wanted else {}
        except Exception as problem:  # noqa: BLE001  (each caller is told)
            return [problem] * len(lookups)
        return [_answer(lookup, rooms.get(lookup.key)) for lookup in lookups]

    def _versions(self, keys: tuple[RoomKey, ...]) -> dict[RoomKey, int]:
        rooms = self._database.find(dict.fromkeys(keys, False)) if keys else {}
        return {key: room.version for key, room in rooms.items()}

    def _alone(self, item: Single) -> Answer | Exception:  # noqa: C901  it is a table
        try:
            match item:
                case DueRooms():
                    return self._database.due(*item)
                case Prune():
                    return self._database.prune(*item)
                case Migrations():
                    return self._database.migrations()
                case Versions(keys):
                    return self._versions(keys)
                case Beat():
                    return self._database.beat(*item)
                case Hold():
                    return self._database.hold(item.key)
                case EndHold(commit):
                    return self._said(lambda: self._database.end_hold(commit))
        except Exception as problem:  # noqa: BLE001  (its caller is told)
            return problem

    def _keep(self, commits: list[Commit]) -> Sequence[bool | Exception]:
        """All in one transaction. If that is rolled back, each alone: only the guilty one fails."""
        patient = True
        if len(commits) > 1 and len({commit.key for commit in commits}) == len(commits):
            try:
                return self._database.keep(commits)
            except StorageUnavailable as problem:
                return [problem] * len(commits)
            except Busy:
                patient = False
            except Exception:  # noqa: BLE001, S110  (said again to the one it is about)
                pass
        return list(self._each(commits, patient=patient))

    def _each(self, commits: list[Commit], *, patient: bool) -> Iterator[bool | Exception]:
        """Each alone. Waits add up: nobody waits again for what kept another one waiting."""
        unavailable: StorageUnavailable | None = None
        for commit in commits:
            answer = unavailable or self._one(commit, patient=patient)
            if isinstance(answer, StorageUnavailable):
                unavailable = answer
            patient = patient and not isinstance(answer, Busy)
            yield answer

    def _one(self, commit: Commit, *, patient: bool) -> bool | Exception:
        return self._said(lambda: self._database.keep([commit], patient=patient)[0])

    def _said(self, keep: Callable[[], bool]) -> bool | Exception:
        try:
            return keep()
        except (Rejected, Busy, StorageUnavailable) as problem:
            return problem
        except Exception as problem:  # noqa: BLE001  (its caller is told)
            return _rejection(problem)


def _rejection(problem: Exception) -> Rejected:
    """What failed before the database was asked fails again: a party gave a value of a wrong type,
    or out of range. What `problem` says is not repeated, it may quote that value."""
    rejection = Rejected(f"a value that no row can hold ({type(problem).__name__})")
    rejection.__cause__ = problem
    return rejection


def _answer(lookup: Lookup, room: Snapshot | None) -> Answer:
    if isinstance(lookup, Load):
        return room
    return (room.version if room else 0) == lookup.version
