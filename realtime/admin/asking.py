"""Commands to many rooms: a few at once, for a limited time, and none during an outage."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from config.clients import realtime_client
from config.env import Environment
from contracts.client import OUTAGE, RealtimeClient
from contracts.errors import Code, RoomError
from contracts.http import Control
from realtime.models import Room

AT_ONCE = 8
# The client asks again after a lost answer, and then these may be due to its first try.
ALREADY = {
    Code.ROOM_NOT_FOUND: "Room not found: it is closed already",
    Code.PLAYER_NOT_FOUND: "Player not found: no member any more",
}


class Order(NamedTuple):
    """One command to one room."""

    room: Room
    control: Control
    words: str  # what is asked, for the room's history


class Fate(NamedTuple):
    """What became of an order."""

    order: Order
    refusal: RoomError | None

    @property
    def outcome(self) -> str:
        """In words, and no more than is known."""
        if self.refusal is None:
            return "done"
        return ALREADY.get(self.refusal.code, self.refusal.message)

    @property
    def ends_asking(self) -> bool:
        """Whether asking on is of no use: this is the state of the service, not of the room."""
        return self.refusal is not None and self.refusal.code in OUTAGE


async def ask_rooms(environment: Environment, orders: Sequence[Order]) -> list[Fate]:
    """The fates of the orders that were given. The rest was not: asking on was of no use, or as
    much time had passed as one call may take. So this takes twice that time at most."""
    client = realtime_client(environment)
    asking = Asking(client, orders, stop_after_s=environment.realtime_total_timeout_s)
    try:
        await asking.run(min(AT_ONCE, environment.realtime_calls_max))
    finally:
        await client.close()
    return asking.fates


class Asking:
    """Orders that wait for their turn, and the fates of the others."""

    def __init__(
        self, client: RealtimeClient, orders: Sequence[Order], *, stop_after_s: float
    ) -> None:
        self.fates: list[Fate] = []
        self._client = client
        self._waiting = deque(orders)
        self._stop_at = asyncio.get_running_loop().time() + stop_after_s

    async def run(self, at_once: int) -> None:
        """Ask, with `at_once` calls under way at most."""
        async with asyncio.TaskGroup() as callers:
            for _ in range(at_once):
                callers.create_task(self._ask_on())

    async def _ask_on(self) -> None:
        while self._waiting and not self._over:
            self.fates.append(await self._ask(self._waiting.popleft()))

    async def _ask(self, order: Order) -> Fate:
        try:
            await self._client.control(order.room.party, order.room.code, order.control)
        except RoomError as refusal:
            return Fate(order, refusal)
        return Fate(order, None)

    @property
    def _over(self) -> bool:
        late = asyncio.get_running_loop().time() >= self._stop_at
        return late or any(fate.ends_asking for fate in self.fates)
