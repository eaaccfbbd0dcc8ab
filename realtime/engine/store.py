"""What the engine asks of storage. One conformance suite holds every store to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from realtime.core.rows import Commit, Revision, RoomKey, Snapshot

# What one prune deletes at most. Commits wait for it on SQLite, and on PostgreSQL a statement has
# little time; a room's journal can be longer than both bear.
PRUNED_ROOMS = 100
PRUNED_ENTRIES = 10_000  # of their journals


def unheard() -> None:
    """Nobody asked to be told."""


class StorageUnavailable(Exception):
    """Storage could not be asked, or did not say how a commit ended: the outcome is unknown."""


class Unwritable(StorageUnavailable):
    """Storage answers, and takes nothing: it is read-only, or full. Nothing was kept."""


class Rejected(Exception):
    """Refused for good, by a constraint or because no row can hold a value; nothing was kept."""


class Busy(Exception):
    """Others hold the room's row for too long; nothing was kept."""


class Held(NamedTuple):
    """A room that, as a rule, no other process can change for the moment."""

    snapshot: Snapshot | None  # as committed; None: there is no such room, so nothing is held
    commit: Callable[[Commit], Awaitable[bool]]  # as Store.commit, and the end of the hold


class Reading(NamedTuple):
    """A store's clock, read once."""

    offset_s: float  # what it was ahead of `ticks`
    trip_s: float  # how long the question took; `offset_s` is wrong by half of it at most
    host_ahead_s: float  # what the clock of this host was ahead of it


class Store(Protocol):
    """Keeps rooms. Calls may run concurrently; those that wait together may share one round.

    Every call raises StorageUnavailable when storage can't be asked. A caller that stops waiting
    (its task is cancelled) withdraws a call that has not begun; one under way runs to its end.
    """

    alone: bool  # no other process can write: memory may answer without confirming its version
    shared: bool  # other realtime processes may use it at the same time

    async def start(self) -> None:
        """Open what is needed. Raises StorageUnavailable with a reason an operator can act on."""

    async def close(self) -> None:
        """Finish what is under way, then let go of threads and connections."""

    async def load(self, key: RoomKey) -> Snapshot | None:
        """The room as committed, or None when there is none."""

    async def confirm(self, key: RoomKey, version: int, tag: int = 0) -> bool:
        """Whether the room's committed revision is still this one (0, 0: there is no such room)."""

    async def commit(self, commit: Commit) -> bool:
        """Keep the batch. False when another writer was first: then nothing was kept.

        A definite rollback that may not be this room's fault (a neighbour's constraint in the same
        round, a lock) is tried once more alone; for locks a round waits but once. Raises Rejected,
        Busy or StorageUnavailable.
        """

    def hold(self, key: RoomKey) -> AbstractAsyncContextManager[Held]:
        """The room as committed, kept from others until the block ends or its commit is kept.

        For those who lost a race: whoever holds a room wins the next one, and others who want to
        hold it wait, nearly in turn. Raises Busy when that takes too long. Where too many rooms are
        held, one more is only read, and may lose again.
        """

    async def versions(self, keys: Collection[RoomKey]) -> dict[RoomKey, Revision]:
        """The committed revisions of those rooms that exist."""

    async def passed(self, key: RoomKey, revision: Revision) -> bool:
        """Whether the room came to where it is by way of this revision: if not, the revision is of
        a history that was lost. By its journal, whose entries of before have no tag and fit any."""

    def on_return(self, notice: Callable[[], None]) -> None:
        """Have `notice` called, on the event loop, whenever storage may be another one than before:
        a connection that was lost is there again, or somebody else has written the one file."""

    async def beat(self, process: str) -> frozenset[str]:
        """Say that this process lives, and be told which others do. A store that no other process
        can use knows of none."""

    async def depart(self, process: str) -> None:
        """Say that this process ends."""

    async def due(self, parties: Collection[str], now: float, limit: int) -> list[RoomKey]:
        """Rooms of these parties whose `alarm_at` has come, the longest overdue first."""

    async def prune(self, now: float) -> bool:
        """Delete a slice of what expired: rooms with seats and journal, the oldest first.

        A journal too long for one slice loses its oldest entries; its room stays, closed as it is,
        until the last of them goes. Finished matches stay. Returns whether there may be more to do
        now: the slice was full.
        """

    async def now(self) -> Reading | None:
        """The store's clock; None where it has none but this host's."""

    async def check(self) -> dict[str, str]:
        """Named readiness checks: `ok`, or what is wrong in words without secrets."""
