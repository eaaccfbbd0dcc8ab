"""The rooms' endpoints, thin: read the request, ask the service, answer."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from contracts.errors import Code, RoomError
from contracts.http import Admission, CreateRoom, JoinRoom, RoomSummary
from lobby import schema, wiring
from lobby.answers import answer, private
from lobby.api import ApiView
from lobby.bodies import decoded, idempotency_key
from lobby.throttles import CreateThrottle, JoinThrottle, MissThrottle


class RoomsView(ApiView):
    """/api/rooms"""

    throttle_classes = (CreateThrottle,)

    @schema.described(
        "createRoom",
        201,
        Admission,
        *schema.ADMITTING,
        request=CreateRoom,
        parameters=[schema.IDEMPOTENCY_KEY],
    )
    async def post(self, request: Request) -> HttpResponse:
        """Create a room, with the caller as its host."""
        wish, key = decoded(request, CreateRoom), idempotency_key(request)
        return private(await wiring.current().service.create(wish, key), status=201)


class ExistingRoomView(ApiView):
    """A path that names a room: asking for one that is not there counts as a guess."""

    def handle_exception(self, exc: Exception) -> HttpResponse:
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
    async def post(self, request: Request, room_id: str) -> HttpResponse:
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
    async def get(self, request: Request, room_id: str) -> HttpResponse:
        """A room's phase, settings and how many are in it."""
        party = request.GET.get("party", "leet99")
        return answer(await wiring.current().service.summary(room_id, party))
