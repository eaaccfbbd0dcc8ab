"""/status: can a player create a room and connect now?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import monotonic

from drf_spectacular.utils import extend_schema

from contracts.exchange import Response
from contracts.http import Status
from contracts.readiness import State
from lobby import wiring
from lobby.answers import answer
from lobby.api import ApiView
from lobby.requests import ApiRequest

KEPT_S = 2.0


class StatusView(ApiView):
    """/status"""

    @extend_schema(operation_id="readStatus", responses={200: Status, 503: Status})
    async def get(self, request: ApiRequest) -> Response:
        """Answer 200 while a realtime process takes calls and sockets, 503 while none does."""
        if "ok" in await shared.states():
            return answer(Status("ok"))
        return answer(Status("unavailable"), status=503)


class SharedStates:
    """The states of the realtime processes, asked for once and shared for KEPT_S: a flood of
    requests costs no more than one."""

    def __init__(self) -> None:
        self._asking: asyncio.Task[list[State]] | None = None
        self._said: list[State] = []
        self._good_until = 0.0

    async def states(self) -> list[State]:
        """Return each process's state. Cancelling one caller does not cancel the question."""
        if monotonic() < self._good_until:
            return self._said
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> list[State]:
        try:
            self._said = await states()
            self._good_until = monotonic() + KEPT_S
            return self._said
        finally:
            self._asking = None


shared = SharedStates()


async def states() -> list[State]:
    """Ask each realtime process for its state."""
    return await wiring.current().service.client.states()


def in_words(states: Sequence[State]) -> str:
    """Say `ok` when all processes serve; otherwise name the fault, and count it among several."""
    counts = Counter(states)
    if counts["ok"] == len(states):
        return "ok"
    wrong = [state for state in counts if state != "ok"]
    if len(states) == 1:
        return wrong[0]
    found = ", ".join(f"{counts[state]} {state}" for state in wrong)
    return f"{counts['ok']} of {len(states)} ok, {found}"
