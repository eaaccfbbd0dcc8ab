"""Commands to many rooms: a few at once, for a limited time, and none into silence."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from config.clients import realtime_client
from config.env import Environment
from contracts.client import RealtimeClient
from contracts.errors import Code, RoomError
from contracts.http import Control
from realtime.models import Room

AT_ONCE = 8
SILENCE = frozenset({Code.REALTIME_UNAVAILABLE, Code.REALTIME_TIMEOUT})
# The client asks again after a lost answer, and then these may be due to its first try.
ALREADY = {
    Code.ROOM_NOT_FOUND: "Room not found: it is closed already",
    Code.PLAYER_NOT_FOUND: "Player not found: no member any more",
}


class Ask(NamedTuple):
    """One command to one room."""

    room: Room
    control: Control
    words: str  # what is asked, for the room's history


class Answer(NamedTuple):
    """What became of it."""

    ask: Ask
    refusal: RoomError | None

    @property
    def outcome(self) -> str:
        """In words, and no more than is known."""
        if self.refusal is None:
            return "done"
        return ALREADY.get(self.refusal.code, self.refusal.message)

    @property
    def silent(self) -> bool:
        """Whether the service said nothing."""
        return self.refusal is not None and self.refusal.code in SILENCE


async def ask_rooms(environment: Environment, asks: Sequence[Ask]) -> list[Answer]:
    """The answers of those that were asked. The rest was not: the service fell silent, or as much
    time had passed as one call may take. So this takes twice that time at most."""
    client = realtime_client(environment)
    asking = Asking(client, asks, stop_after_s=environment.realtime_total_timeout_s)
    try:
        await asking.run(min(AT_ONCE, environment.realtime_calls_max))
    finally:
        await client.close()
    return asking.answers


class Asking:
    """Asks that wait for their turn, and the answers so far."""

    def __init__(self, client: RealtimeClient, asks: Sequence[Ask], *, stop_after_s: float) -> None:
        self.answers: list[Answer] = []
        self._client = client
        self._waiting = deque(asks)
        self._stop_at = asyncio.get_running_loop().time() + stop_after_s

    async def run(self, at_once: int) -> None:
        """Ask, with `at_once` calls under way at most."""
        async with asyncio.TaskGroup() as callers:
            for _ in range(at_once):
                callers.create_task(self._ask_on())

    async def _ask_on(self) -> None:
        while self._waiting and not self._over:
            self.answers.append(await self._ask(self._waiting.popleft()))

    async def _ask(self, ask: Ask) -> Answer:
        try:
            await self._client.control(ask.room.party, ask.room.code, ask.control)
        except RoomError as refusal:
            return Answer(ask, refusal)
        return Answer(ask, None)

    @property
    def _over(self) -> bool:
        late = asyncio.get_running_loop().time() >= self._stop_at
        return late or any(answer.silent for answer in self.answers)
