"""What this process believes of one room, and how a batch of turns on it becomes true."""

from __future__ import annotations

from collections.abc import Callable
from random import getrandbits
from typing import NamedTuple

from contracts.complaints import Complaints
from realtime.core.commands import Register
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.core.surroundings import Surroundings
from realtime.core.turns import Turn, Turns
from realtime.engine.hub import Hub
from realtime.engine.posts import Post
from realtime.engine.store import Busy, StorageUnavailable, Store
from realtime.engine.uuids import uuid7

RACES = 5  # commits lost to other writers before the room is called busy


class Limits(NamedTuple):
    """The engine's numbers; every one is a setting."""

    mailbox_size: int
    batch_size: int
    commit_deadline_s: float
    refresh_interval_s: float
    room_idle_s: float
    clock_interval_s: float
    prune_interval_s: float


class Engine(NamedTuple):
    """What every actor works with."""

    store: Store
    hub: Hub
    clock: Callable[[], float]  # seconds since the epoch
    surroundings: Surroundings
    complaints: Complaints
    limits: Limits


class Answered(NamedTuple):
    """A post, or an alarm that needed none, and how its turn ended."""

    post: Post
    turn: Turn


class Memory:
    """One room as this process last saw it. Forgotten whenever that may be wrong."""

    def __init__(self, party: Party, key: RoomKey, engine: Engine) -> None:
        self._party = party
        self._key = key
        self._engine = engine
        self._turns: Turns | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is worth remembering: there is no such room, it is over, or who knows."""
        return self._turns is None or not self._turns.open

    @property
    def next_alarm(self) -> float | None:
        """When the next alarm is due, in seconds since the epoch, as far as is known."""
        return self._turns.next_alarm if self._turns else None

    async def run(self, batch: list[Post]) -> list[Answered]:
        """Run due alarms and the batch on what is committed, until their commit is kept.

        Raises StorageUnavailable when nobody can tell, Busy when nothing was kept, and what storage
        says of a batch that it can't keep at all. No alarm may make its room unusable: when a
        commit with alarms is refused, the earliest is tried alone, and then set back. The others
        stay due.
        """
        refusals: list[Exception] = []
        for race in range(RACES):
            turns, believed = await self._recall(batch, guess=race == 0)
            turns.begin(self._engine.clock(), self._engine.hub.present(self._key))
            most, failure = 1 if refusals else None, refusals[1] if len(refusals) == 2 else None
            rung = turns.ring(_seed, most, failure)
            answered = [Answered(Post(one.command), one.turn) for one in rung]
            answered += [Answered(post, _run(turns, post)) for post in batch]
            try:
                kept = await self._keep(turns, believed)
            except (StorageUnavailable, Busy):
                raise
            except Exception as problem:
                if failure or not rung:
                    raise
                refusals.append(problem)
                kept = False
            if kept:
                self._turns = turns
                return answered
        raise Busy("other processes were first, again and again")

    async def _recall(self, batch: list[Post], *, guess: bool) -> tuple[Turns, bool]:
        """The room as memory has it, or as storage does. True: only believed, not yet confirmed.

        A batch that a host's register opens guesses that there is no room yet, which saves a read:
        the insert, or a confirmation, proves it.
        """
        turns, self._turns = self._turns, None  # forgotten, unless this batch ends well
        if turns is not None:
            return turns, not self._engine.store.alone
        founding = guess and bool(batch) and _founds(batch[0])
        snapshot = None if founding else await self._engine.store.load(self._key)
        turns = Turns(
            self._party,
            self._key,
            snapshot,
            new_uuid=uuid7(self._engine.clock()),
            surroundings=self._engine.surroundings,
        )
        return turns, founding

    async def _keep(self, turns: Turns, believed: bool) -> bool:
        """Whether the turns stand: committed, or run on what is confirmed as committed."""
        store, draft = self._engine.store, turns.draft()
        if draft is None:
            return not believed or await store.confirm(self._key, turns.version)
        if not await store.commit(draft):
            return False
        turns.committed()
        return True


def _run(turns: Turns, post: Post) -> Turn:
    return turns.run(post.command, _seed(), post.request_id)


def _seed() -> int:
    return getrandbits(64)


def _founds(post: Post) -> bool:
    return isinstance(post.command, Register) and post.command.is_host
