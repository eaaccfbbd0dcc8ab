"""Create, join and look at rooms and matches: what the lobby does, without HTTP around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import msgspec

from contracts import jsonio
from contracts.client import RealtimeClient
from contracts.errors import Code, RoomError, bad_request
from contracts.http import (
    Admission,
    Counts,
    CreateRoom,
    JoinRoom,
    Leaderboard,
    MatchReport,
    RegisterRequest,
    RoomMatches,
    RoomPage,
    RoomSummary,
)
from contracts.limits import ROOM_ID_ATTEMPTS
from contracts.parties import SETTINGS
from contracts.paths import is_party, room_path, sockets_url
from contracts.queries import LeaderboardQuery, MatchesQuery, RoomsQuery
from contracts.usernames import clean_username
from lobby import ids

Given = TypeVarTuple("Given")
Told = TypeVar("Told")

CREATE_PATH = "/api/rooms"


class Lobby:
    """Answers come from the realtime service alone: the lobby keeps nothing, and promises nothing.

    All methods raise RoomError. `key` is the caller's Idempotency-Key, empty for none.
    """

    def __init__(self, client: RealtimeClient, public_url: str, secret: str) -> None:
        self.client = client
        self._sockets_url = sockets_url(public_url)
        self._secret = secret.encode()

    async def create(self, wish: CreateRoom, key: str = "") -> Admission:
        """A new room with the caller as its host. Only a taken room id is drawn again."""
        _check_party(wish.party)
        _check_settings(wish.party, wish.settings)
        mint = self._mint(key, wish.party, CREATE_PATH)
        player = RegisterRequest(
            player_id=mint.player_id(),
            player_token=mint.player_token(),
            username=clean_username(wish.username),
            role="player",
            is_host=True,
            settings=wish.settings,
            visibility=wish.visibility,
        )
        for attempt in range(ROOM_ID_ATTEMPTS):
            try:
                return await self._admit(wish.party, mint.room_id(attempt), player)
            except RoomError as refusal:
                if refusal.code is not Code.ROOM_ALREADY_EXISTS:
                    raise
        raise RoomError(Code.INTERNAL_ERROR, "No free room id was found, try again")

    async def join(self, room_id: str, wish: JoinRoom, key: str = "") -> Admission:
        """A place in an existing room."""
        _check_party(wish.party)
        mint = self._mint(key, wish.party, f"{CREATE_PATH}/{room_id}/join")
        player = RegisterRequest(
            player_id=mint.player_id(),
            player_token=mint.player_token(),
            username=clean_username(wish.username),
            role=wish.role,
            is_host=False,
        )
        return await self._admit(wish.party, room_id, player)

    async def summary(self, room_id: str, party: str) -> RoomSummary:
        """What anybody may know of a room."""
        state = await _asked(party, self.client.state, room_id)
        counts = Counts(state.player_counts.players, state.player_counts.spectators)
        return RoomSummary(room_id, state.phase, state.settings, counts)

    async def rooms(self, party: str, query: RoomsQuery) -> RoomPage:
        """A page of the party's public rooms."""
        return await _asked(party, self.client.rooms, query)

    async def matches(self, party: str, room_id: str, query: MatchesQuery) -> RoomMatches:
        """The finished matches of a room."""
        return await _asked(party, self.client.matches, room_id, query)

    async def match(self, match_id: str) -> MatchReport:
        """A finished match, with its standings."""
        return await self.client.match(match_id)

    async def leaderboard(self, party: str, query: LeaderboardQuery) -> Leaderboard:
        """The players' best scores."""
        return await _asked(party, self.client.leaderboard, query)

    def _mint(self, key: str, party: str, path: str) -> ids.Mint:
        return ids.by_key(self._secret, key, party, path) if key else ids.by_chance()

    async def _admit(self, party: str, room_id: str, player: RegisterRequest) -> Admission:
        try:
            reply = await self.client.register(party, room_id, player)
        except RoomError as refusal:
            raise _in_our_words(refusal) from None
        return Admission(
            room_id=room_id,
            ws_url=self._sockets_url + room_path(party, room_id),
            player_id=player.player_id,
            player_token=player.player_token,
            role=player.role,
            is_host=player.is_host,
            settings=reply.settings,
        )


async def _asked(party: str, ask: Callable[[str, *Given], Awaitable[Told]], *given: *Given) -> Told:
    """What the realtime service says about a party that it must know."""
    _check_party(party)
    try:
        return await ask(party, *given)
    except RoomError as refusal:
        raise _in_our_words(refusal) from None


def _check_party(party: str) -> None:
    if not is_party(party):
        raise bad_request("party", "There is no such party")


def _check_settings(party: str, settings: msgspec.Raw) -> None:
    """Early, where the party's model is known; the room decides in any case."""
    if not bytes(settings).startswith(b"{"):
        raise bad_request("settings", "Expected `object`")
    if model := SETTINGS.get(party):
        jsonio.decode_checked(settings, model, path="settings")


def _in_our_words(refusal: RoomError) -> RoomError:
    """To the realtime service an unknown party is an unknown path, here it is a bad field."""
    if refusal.code is Code.NOT_FOUND:
        return bad_request("party", "There is no such party")
    return refusal
