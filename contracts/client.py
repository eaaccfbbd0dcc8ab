"""The lobby's client of the realtime service: every way a call may end is a reply or a RoomError.

A call may be repeated without harm (it reads, or the realtime service knows a player again by id
and token), so whatever leaves its outcome unknown is asked once more before the caller hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx

from contracts import jsonio
from contracts.answers import BrokenAnswer, KeyRefused, Told, read
from contracts.complaints import Complaints
from contracts.errors import Code, RoomError
from contracts.http import (
    Control,
    ControlReply,
    Leaderboard,
    MatchReport,
    RegisterReply,
    RegisterRequest,
    RoomMatches,
    RoomPage,
    RoomState,
)
from contracts.http1 import Answer
from contracts.paths import (
    LEADERBOARD_PATH,
    control_path,
    match_path,
    matches_path,
    register_path,
    rooms_path,
    state_path,
)
from contracts.processes import Call, Process
from contracts.queries import LeaderboardQuery, MatchesQuery, RoomsQuery
from contracts.readiness import QUESTION, State, state_of
from contracts.ring import Ring
from contracts.transport import Transport

RETRY_IN_S = 0.05  # with less time left, a second try could not end well
STATE_TIMEOUT_S = 1.0  # supervisors wait 2 s for the lobby's readiness, which holds this
# It is not there, says itself that it stops, is asked too much already, or is too slow.
OUTAGE = frozenset({Code.REALTIME_UNAVAILABLE, Code.REALTIME_TIMEOUT})


class RealtimeClient:
    """Typed calls to the realtime service, whose processes answer at `urls`. The calls about a room
    go to the same process first, and a second try goes to another, where there is one.

    Raises RoomError: the service's own refusals unchanged, REALTIME_UNAVAILABLE when it cannot be
    reached or `calls_max` calls wait for it already, REALTIME_TIMEOUT when it says nothing in time,
    and INTERNAL_ERROR with status 502 when what it says makes no sense. A body that is not the
    service's own goes no further.
    """

    def __init__(
        self,
        urls: Sequence[str],
        service_key: str,
        *,
        transport: Transport,
        try_timeout_s: float,
        total_timeout_s: float,
        calls_max: int,
    ) -> None:
        self._processes = [Process.at(httpx.URL(url), service_key) for url in urls]
        self._ring = Ring([one.netloc for one in self._processes])
        self._transport = transport
        self._try_timeout_s = try_timeout_s
        self._total_timeout_s = total_timeout_s
        self._calls_max = calls_max
        self._calls = 0  # under way
        self._complaints = Complaints("calls to the realtime service")

    async def register(self, party: str, room_id: str, player: RegisterRequest) -> RegisterReply:
        """Ask the room to admit `player`; what it answers is stored already."""
        path, body = register_path(party, room_id), jsonio.encode(player)
        return await self._ask(Call("POST", path, room_id, body), RegisterReply)

    async def state(self, party: str, room_id: str) -> RoomState:
        """A room's public summary."""
        return await self._ask(Call("GET", state_path(party, room_id), room_id), RoomState)

    async def rooms(self, party: str, query: RoomsQuery) -> RoomPage:
        """A page of the party's public rooms."""
        return await self._ask(Call("GET", f"{rooms_path(party)}?{query}"), RoomPage)

    async def matches(self, party: str, room_id: str, query: MatchesQuery) -> RoomMatches:
        """The finished matches of the room that has this id now."""
        path = f"{matches_path(party, room_id)}?{query}"
        return await self._ask(Call("GET", path, room_id), RoomMatches)

    async def match(self, match_id: str) -> MatchReport:
        """A finished match with its standings."""
        return await self._ask(Call("GET", match_path(match_id), match_id), MatchReport)

    async def leaderboard(self, party: str, query: LeaderboardQuery) -> Leaderboard:
        """The best scores of the party's matches."""
        return await self._ask(
            Call("GET", f"{LEADERBOARD_PATH}?party={party}&{query}"), Leaderboard
        )

    async def control(self, party: str, room_id: str, control: Control) -> ControlReply:
        """Have an administrator's command done. After a lost answer it is asked again, and then a
        ROOM_NOT_FOUND or PLAYER_NOT_FOUND may say that the first try has done it already."""
        path, body = control_path(party, room_id), jsonio.encode(control)
        return await self._ask(Call("POST", path, body=body), ControlReply)

    async def states(self) -> list[State]:
        """Ask each process whether it would serve us now. Takes STATE_TIMEOUT_S at most."""
        return await asyncio.gather(*map(self._state, self._processes))

    async def _state(self, process: Process) -> State:
        request, deadline = process.request(QUESTION), _now() + STATE_TIMEOUT_S
        try:
            answer = await self._transport.exchange(process.origin, request, deadline)
        except httpx.TransportError:
            return "unreachable"
        state = state_of(answer)
        if state == "refuses the service key":
            self._complaints.add(f"{process.netloc}: {KeyRefused()}")
        return state

    async def close(self) -> None:
        """Close the connections that lie idle."""
        await self._transport.aclose()

    async def _ask(self, call: Call, model: type[Told]) -> Told:
        if self._calls >= self._calls_max:
            raise RoomError(Code.REALTIME_UNAVAILABLE)
        self._calls += 1
        try:
            return await self._ask_twice(call, model)
        except RoomError as failure:
            if isinstance(failure, BrokenAnswer) or failure.code in OUTAGE:
                self._complaints.add(_with_notes(failure))
            raise
        finally:
            self._calls -= 1

    async def _ask_twice(self, call: Call, model: type[Told]) -> Told:
        give_up_at = _now() + self._total_timeout_s
        first, second = (self._processes[number] for number in self._ring.two(call.path))
        try:
            return await self._try(first, call, model, give_up_at)
        except KeyRefused as failure:
            if second is first:
                raise
            self._complaints.add(f"{first.netloc}: {failure}")
        except RoomError as failure:
            if not _worth_a_retry(failure) or give_up_at - _now() < RETRY_IN_S:
                raise
        return await self._try(second, call, model, give_up_at)

    async def _try(
        self, process: Process, call: Call, model: type[Told], give_up_at: float
    ) -> Told:
        """One try. Its failure notes the process, for the log alone: no caller is told of it."""
        deadline = min(_now() + self._try_timeout_s, give_up_at)
        try:
            return read(await self._exchange(process, call, deadline), model, call.about)
        except RoomError as failure:
            failure.add_note(f"asked {process.origin.scheme}://{process.netloc}")
            raise

    async def _exchange(self, process: Process, call: Call, deadline: float) -> Answer:
        """The answer as it came. Raises RoomError, with what the network had to say as a note."""
        try:
            return await self._transport.exchange(process.origin, process.request(call), deadline)
        except (httpx.NetworkError, httpx.ConnectTimeout) as error:
            failure = RoomError(Code.REALTIME_UNAVAILABLE)
            failure.add_note(str(error) or "no connection in time")
            raise failure from None
        except httpx.TimeoutException:
            raise RoomError(Code.REALTIME_TIMEOUT) from None
        except httpx.TransportError as error:
            raise BrokenAnswer(str(error)) from None


def _with_notes(failure: RoomError) -> str:
    """A failure as the operator's log has it."""
    notes = getattr(failure, "__notes__", [])
    return f"{failure} ({'; '.join(notes)})" if notes else str(failure)


def _now() -> float:
    """Seconds on the loop's own clock, which its timers go by."""
    return asyncio.get_running_loop().time()


def _worth_a_retry(failure: RoomError) -> bool:
    """Whether it can help. A busy room did nothing, and asking again makes it busier."""
    if isinstance(failure, BrokenAnswer):
        return failure.repeatable
    return failure.status in (503, 504) and failure.code is not Code.ROOM_BUSY
