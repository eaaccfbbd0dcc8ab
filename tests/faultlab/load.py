"""Clients of several rooms at a time, in one program, and the witness who watches the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle, islice
from random import Random

from tests.faultlab.callers import AGAIN_AFTER_S, Callers
from tests.faultlab.cluster import Cluster
from tests.faultlab.history import History, now
from tests.faultlab.node import Node
from tests.faultlab.room_life import RoomLife
from tests.faultlab.session import Session
from tests.faultlab.witness import Witness

PARTIES = ("leet99", "chat", "leet99", "leet99")
# Only so that nothing hangs for ever: what does not recover by then has not, on any machine.
CONVERGED_WITHIN_S = RECOVERS_WITHIN_S = 120.0


class Load:
    """Rooms that come and go, until they are hushed."""

    def __init__(self, callers: Callers, chance: Random) -> None:
        self.callers = callers
        self._chance = chance
        self._lives: set[RoomLife] = set()
        self._sessions: set[Session] = set()
        self._hushed = False

    async def room_after_room(self, party: str) -> None:
        """One of the rooms that live at the same time."""
        while not self._hushed:
            life = RoomLife(self.callers, self._chance, party, self._sessions)
            self._lives.add(life)
            try:
                await life.run()
            finally:
                self._lives.discard(life)

    async def answered_again(self, node: Node) -> float:
        """Ask for a room until one is made here. Returns how long that took, in seconds; when it
        is RECOVERS_WITHIN_S, none was."""
        began = now()
        wish = self.callers.wish("chat", "the lab")
        while not (await self.callers.ask(wish, node))[0]:
            if now() > began + RECOVERS_WITHIN_S:
                break
            await asyncio.sleep(AGAIN_AFTER_S)
        return now() - began

    async def hush(self) -> float:
        """Ask for nothing new; wait until all that share a room heard the same. Returns seconds."""
        self._hushed = True
        for life in self._lives:
            life.hushed = True
        began = now()
        # For what was asked a moment ago.
        await asyncio.sleep(0.25 * self.callers.cluster.slowness)
        await eventually(lambda: self._converged() or now() > began + CONVERGED_WITHIN_S)
        return now() - began

    async def dismiss(self) -> None:
        """Every socket ends, the last before this returns."""
        for life in self._lives:
            life.dismissed = True
        await eventually(lambda: not self._lives)

    def _converged(self) -> bool:
        """Whoever has seen a view since the last broadcast knows what was before it."""
        heard: dict[str, set[int]] = {}
        for session in self._sessions:
            if session.entered and session.seq_since_view:
                heard.setdefault(session.room_id, set()).add(session.seq_since_view)
        return all(len(numbers) == 1 for numbers in heard.values())


async def eventually(condition: Callable[[], bool], *, every_s: float = 0.05) -> None:
    """Wait for what tells nobody when it happens."""
    while not condition():  # noqa: ASYNC110  (dozens of sockets take part in it)
        await asyncio.sleep(every_s)


@asynccontextmanager
async def load(
    cluster: Cluster, history: History, chance: Random, rooms: int
) -> AsyncIterator[Load]:
    """Clients at work. Dismiss them in the end; an error ends them at once."""
    callers = Callers(cluster, history, chance)
    witness = callers.witness = Witness(cluster.postgres.url, history)
    made = Load(callers, chance)
    watching = asyncio.create_task(witness.watch())
    try:
        async with asyncio.TaskGroup() as group:
            for party in islice(cycle(PARTIES), rooms):
                group.create_task(made.room_after_room(party))
            yield made
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await witness.close()
        await callers.close()
