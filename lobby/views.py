"""The endpoints of rooms and matches, thin: read the request, ask the service, answer."""

from __future__ import annotations

from rest_framework.throttling import BaseThrottle

from contracts.errors import Code, RoomError
from contracts.exchange import Response
from contracts.http import (
    Admission,
    CreateRoom,
    JoinRoom,
    Leaderboard,
    MatchReport,
    RoomMatches,
    RoomPage,
    RoomSummary,
)
from contracts.limits import LEADERS_LISTED, MATCHES_LISTED
from contracts.queries import LeaderboardQuery, MatchesQuery, RoomsQuery
from lobby import schema, wiring
from lobby.answers import answer, private
from lobby.api import ApiView
from lobby.bodies import decoded, idempotency_key
from lobby.requests import ApiRequest
from lobby.throttles import CreateThrottle, JoinThrottle, MissThrottle, ReadThrottle


class RoomsView(ApiView):
    """/api/rooms"""

    def get_throttles(self) -> list[BaseThrottle]:
        """Looking is cheaper than creating."""
        looks = self.request.method in ("GET", "HEAD")
        return [ReadThrottle() if looks else CreateThrottle()]

    @schema.described(
        "listRooms",
        200,
        RoomPage,
        *schema.READING,
        parameters=[schema.PARTY, schema.STATUS, schema.HAS_SPACE, schema.CURSOR],
    )
    async def get(self, request: ApiRequest) -> Response:
        """Public rooms, the newest first, 50 to a page."""
        query = RoomsQuery.read(request.GET)
        return answer(await wiring.current().service.rooms(party_of(request), query))

    @schema.described(
        "createRoom",
        201,
        Admission,
        *schema.ADMITTING,
        request=CreateRoom,
        parameters=[schema.IDEMPOTENCY_KEY],
    )
    async def post(self, request: ApiRequest) -> Response:
        """Create a room, with the caller as its host."""
        wish, key = decoded(request, CreateRoom), idempotency_key(request)
        return private(await wiring.current().service.create(wish, key), status=201)


class ExistingRoomView(ApiView):
    """A path that names a room: asking for one that is not there counts as a guess."""

    def handle_exception(self, exc: Exception) -> Response:
        """As ever, and the guess is counted."""
        if isinstance(exc, RoomError) and exc.code is Code.ROOM_NOT_FOUND:
            MissThrottle().count(self.request)
        return super().handle_exception(exc)


class JoinView(ExistingRoomView):
    """/api/rooms/{roomId}/join"""

    throttle_classes = (JoinThrottle,)

    @schema.described(
        "joinRoom",
        200,
        Admission,
        Code.NOT_FOUND,
        Code.ROOM_NOT_FOUND,
        Code.ROOM_FULL,
        Code.MATCH_ALREADY_STARTED,
        Code.FORBIDDEN,
        *schema.ADMITTING,
        request=JoinRoom,
        parameters=[schema.IDEMPOTENCY_KEY],
    )
    async def post(self, request: ApiRequest, room_id: str) -> Response:
        """Join a room as a player or a spectator."""
        wish, key = decoded(request, JoinRoom), idempotency_key(request)
        return private(await wiring.current().service.join(room_id, wish, key))


class RoomView(ExistingRoomView):
    """/api/rooms/{roomId}"""

    throttle_classes = (MissThrottle,)

    @schema.described(
        "readRoom",
        200,
        RoomSummary,
        Code.NOT_FOUND,
        Code.ROOM_NOT_FOUND,
        *schema.ASKING,
        parameters=[schema.PARTY],
    )
    async def get(self, request: ApiRequest, room_id: str) -> Response:
        """A room's phase, settings and how many are in it."""
        return answer(await wiring.current().service.summary(room_id, party_of(request)))


class RoomMatchesView(ExistingRoomView):
    """/api/rooms/{roomId}/matches"""

    throttle_classes = (MissThrottle, ReadThrottle)

    @schema.described(
        "listMatches",
        200,
        RoomMatches,
        Code.NOT_FOUND,
        Code.ROOM_NOT_FOUND,
        *schema.READING,
        parameters=[schema.PARTY, schema.limit(MATCHES_LISTED)],
    )
    async def get(self, request: ApiRequest, room_id: str) -> Response:
        """The finished matches of a room, the newest first."""
        query = MatchesQuery.read(request.GET)
        service = wiring.current().service
        return answer(await service.matches(party_of(request), room_id, query))


class MatchView(ApiView):
    """/api/matches/{matchId}"""

    throttle_classes = (ReadThrottle,)

    @schema.described(
        "readMatch", 200, MatchReport, Code.NOT_FOUND, Code.MATCH_NOT_FOUND, *schema.READING
    )
    async def get(self, request: ApiRequest, match_id: str) -> Response:
        """A finished match, and its standings by rank."""
        return answer(await wiring.current().service.match(match_id))


class LeaderboardView(ApiView):
    """/api/leaderboard"""

    throttle_classes = (ReadThrottle,)

    @schema.described(
        "readLeaderboard",
        200,
        Leaderboard,
        *schema.READING,
        parameters=[schema.PARTY, schema.WINDOW, schema.limit(LEADERS_LISTED)],
    )
    async def get(self, request: ApiRequest) -> Response:
        """The players' best scores; of equal ones the earlier first."""
        query = LeaderboardQuery.read(request.GET)
        return answer(await wiring.current().service.leaderboard(party_of(request), query))


def party_of(request: ApiRequest) -> str:
    """The party that a look is about; of several the last, and leet99 for none."""
    return request.GET.get("party") or "leet99"
