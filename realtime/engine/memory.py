"""What this process believes of one room, and how a batch of turns on it becomes true."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import getrandbits
from typing import NamedTuple, TypeAlias
from uuid import UUID

from contracts.complaints import Complaints
from realtime.core.commands import Inspect, Register
from realtime.core.encoding import UnreadableState
from realtime.core.party import Party
from realtime.core.rows import Commit, Revision, RoomKey, Snapshot
from realtime.core.surroundings import Surroundings
from realtime.core.turns import Turn, Turns
from realtime.core.unreadable import UnreadableRoom
from realtime.engine.bus import Bus
from realtime.engine.hub import Hub
from realtime.engine.peers import Peers
from realtime.engine.posts import Post
from realtime.engine.stopwatch import Stopwatch
from realtime.engine.store import Busy, StorageUnavailable, Store
from realtime.engine.uuids import uuid7

RACES = 5  # tries before the room is called busy; who holds it can lose but one, to its creator
CONTENDED_S = 1.0  # after a race was lost on a fresh read, the room is held from the first try on


AnyTurns: TypeAlias = Turns | UnreadableRoom


class Limits(NamedTuple):
    """The engine's numbers; every one is a setting."""

    mailbox_size: int
    batch_size: int
    commit_deadline_s: float
    refresh_interval_s: float
    room_idle_s: float
    clock_interval_s: float
    prune_interval_s: float
    slow_turn_s: float


class Engine(NamedTuple):
    """What every actor works with."""

    store: Store
    hub: Hub
    bus: Bus
    peers: Peers
    clock: Callable[[], float]  # seconds since the epoch
    surroundings: Surroundings
    complaints: Complaints
    limits: Limits


class Answered(NamedTuple):
    """A post, or an alarm that needed none, and how its turn ended."""

    post: Post
    turn: Turn


class Settled(NamedTuple):
    """A batch that was run on one revision of a room and, unless nothing changed, left another."""

    answered: list[Answered]
    uuid: UUID
    base: Revision
    after: Revision
    processes: frozenset[str]  # ids of those that had the room's sockets


class Basis(NamedTuple):
    """What a batch is run on."""

    turns: AnyTurns
    believed: bool  # but not confirmed
    commit: Callable[[Commit], Awaitable[bool]]


class Memory:
    """One room as this process last saw it. Forgotten whenever that may be wrong."""

    def __init__(self, party: Party, key: RoomKey, engine: Engine, stopwatch: Stopwatch) -> None:
        self._party = party
        self._key = key
        self._engine = engine
        self._stopwatch = stopwatch
        self._turns: AnyTurns | None = None
        self._forgotten = 0  # times
        self._contended_until = 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing is worth remembering: there is no such room, it is over, or who knows."""
        return self._turns is None or not self._turns.open

    @property
    def next_alarm(self) -> float | None:
        """When the next alarm is due, in seconds since the epoch, as far as is known."""
        return self._turns.next_alarm if self._turns else None

    def forget(self) -> None:
        """Remember nothing: storage has it all, and the next batch reads it. That holds for what a
        batch under way has read, too, once it is over."""
        self._turns = None
        self._forgotten += 1

    async def run(self, batch: list[Post]) -> Settled:
        """Run due alarms and the batch on what is committed, until their commit is kept.

        Raises StorageUnavailable when nobody can tell, Busy when nothing was kept, and what storage
        says of a batch that it can't keep at all. No alarm may make its room unusable: when a
        commit with alarms is refused, the earliest is tried alone, and then set back. The others
        stay due.
        """
        refusals: list[Exception] = []
        forgotten = self._forgotten
        for race in range(RACES):
            if self._contended and not (batch and is_look(batch[0])):
                self._turns = None
                async with self._engine.store.hold(self._key) as held:
                    basis = Basis(self._read(held.snapshot), False, held.commit)
                    settled = await self._try(basis, batch, refusals)
            else:
                basis = await self._recall(batch, first=race == 0)
                settled = await self._try(basis, batch, refusals)
            if settled:
                doubtful = basis.turns.unreadable or forgotten != self._forgotten
                self._turns = None if doubtful else basis.turns
                return settled
        raise Busy("other processes were first, again and again")

    async def _try(
        self, basis: Basis, batch: list[Post], refusals: list[Exception]
    ) -> Settled | None:
        """What became of a batch; None when it was not kept, and may be tried again."""
        turns, base = basis.turns, basis.turns.revision
        answered = self._answer(turns, batch, refusals)
        try:
            kept = await self._keep(basis)
        except (StorageUnavailable, Busy):
            raise
        except Exception as problem:
            if len(refusals) == 2 or len(answered) == len(batch):
                raise
            refusals.append(problem)
            return None
        if not kept:
            return None
        return Settled(answered, turns.uuid, base, turns.revision, turns.processes)

    def _answer(
        self, turns: AnyTurns, batch: list[Post], refusals: list[Exception]
    ) -> list[Answered]:
        here = self._engine.hub.present(self._key)
        turns.begin(self._now(turns), self._engine.peers.sight(here).correct)
        with self._stopwatch.on(self._key):
            if batch and is_look(batch[0]):
                return [Answered(post, self._run(turns, post)) for post in batch]
            most, failure = 1 if refusals else None, refusals[1] if len(refusals) == 2 else None
            rung = turns.ring(_seed, most, failure)
            answered = [Answered(Post(one.command), one.turn) for one in rung]
            return answered + [Answered(post, self._run(turns, post)) for post in batch]

    def _run(self, turns: AnyTurns, post: Post) -> Turn:
        self._stopwatch.lap()
        return turns.run(post.command, _seed(), post.request_id)

    def _now(self, turns: AnyTurns) -> float:
        """The time of a batch. It never goes back within a room, which a process whose clock is a
        little ahead may have had before. A store that is alone has one clock, however that is set.
        """
        now = self._engine.clock()
        return now if self._engine.store.alone else max(now, turns.at)

    @property
    def _contended(self) -> bool:
        """Whether a race for the room was lost just now: then it is held."""
        return self._engine.clock() < self._contended_until

    async def _recall(self, batch: list[Post], *, first: bool) -> Basis:
        """The room as memory has it, or as storage has it.

        A batch that a host's register opens guesses that there is no room yet, which saves a read:
        the insert, or a confirmation, proves it.
        """
        store = self._engine.store
        turns, self._turns = self._turns, None  # forgotten, unless this batch ends well
        if turns is not None:
            return Basis(turns, not store.alone, store.commit)
        founding = first and bool(batch) and _founds(batch[0])
        snapshot = None if founding else await store.load(self._key)
        return Basis(self._read(snapshot), founding, store.commit)

    def _read(self, snapshot: Snapshot | None) -> AnyTurns:
        surroundings = self._engine.surroundings
        try:
            new_uuid = uuid7(self._engine.clock())
            return Turns(
                self._party, self._key, snapshot, new_uuid=new_uuid, surroundings=surroundings
            )
        except UnreadableState as problem:
            if snapshot is None:
                raise
            self._engine.complaints.add(
                f"{'/'.join(self._key)}: its state is unreadable: {problem}"
            )
            return UnreadableRoom(self._key, snapshot, surroundings)

    async def _keep(self, basis: Basis) -> bool:
        """Whether the turns stand: committed, or run on what is confirmed as committed."""
        turns = basis.turns
        draft = turns.draft(_tag())
        if draft is None:
            confirm = self._engine.store.confirm
            return not basis.believed or await confirm(self._key, *turns.revision)
        if not await basis.commit(draft):
            # What was only believed is old when a peer had a turn since our last: that is no race.
            if not basis.believed:
                self._contended_until = self._engine.clock() + CONTENDED_S
            return False
        turns.committed()
        return True


def _seed() -> int:
    return getrandbits(64)


def _tag() -> int:
    return getrandbits(63) or 1  # 0 is that of rows that never had one


def is_look(post: Post) -> bool:
    """Whether it only reads. Such posts are a batch of their own: nothing that can't be written
    keeps them from their answer."""
    return isinstance(post.command, Inspect)


def _founds(post: Post) -> bool:
    return isinstance(post.command, Register) and post.command.is_host
