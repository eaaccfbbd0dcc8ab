"""Bodies of the lobby's public API and of the realtime service's internal one."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from contracts.limits import BIG_INTEGER_MAX, IDENTITY_MAX, INTEGER_MAX

Role = Literal["player", "spectator"]
Visibility = Literal["public", "private"]
Window = Literal["all", "day", "week"]  # matches that ended ever, in the last 24 h, in the last 7 d
Identity = Annotated[str, Meta(min_length=1, max_length=IDENTITY_MAX, pattern=r"^[\x20-\x7e]+\Z")]
NO_SETTINGS = msgspec.Raw(b"{}")


class CreateRoom(Struct, frozen=True, rename="camel"):
    """POST /api/rooms. `settings` is read by the party's own model."""

    username: str
    settings: msgspec.Raw = field(default_factory=lambda: NO_SETTINGS)
    party: str = "leet99"
    visibility: Visibility = "private"


class JoinRoom(Struct, frozen=True, rename="camel"):
    """POST /api/rooms/{roomId}/join."""

    username: str
    role: Role = "player"
    party: str = "leet99"


class Admission(Struct, frozen=True, rename="camel"):
    """The answer to create (201) and join (200): where to connect, and as whom."""

    room_id: str
    ws_url: str
    player_id: str
    player_token: str
    role: Role
    is_host: bool
    settings: msgspec.Raw


class Counts(Struct, frozen=True):
    """Members of a room by role; bots are not counted here."""

    players: int
    spectators: int


class RoomSummary(Struct, frozen=True, rename="camel"):
    """GET /api/rooms/{roomId}."""

    room_id: str
    phase: str
    settings: msgspec.Raw
    counts: Counts


class RoomPage(Struct, frozen=True, rename="camel"):
    """GET /api/rooms: public rooms, the newest first. `next_cursor` asks for those after them."""

    rooms: list[RoomSummary]
    next_cursor: str | None


class RegisterRequest(Struct, frozen=True, rename="camel"):
    """POST /parties/{party}/{roomId}/register, lobby to realtime."""

    player_id: Identity
    player_token: Identity
    username: str
    role: Role
    is_host: bool
    settings: msgspec.Raw = field(default_factory=lambda: NO_SETTINGS)
    visibility: Visibility = "private"


class RegisterReply(Struct, frozen=True, rename="camel", kw_only=True):
    """The room's word that the player is in, and stored."""

    ok: Literal[True] = True
    room_id: str
    settings: msgspec.Raw
    match_phase: str
    phase: str
    counts: Counts


class PlayerCounts(Struct, frozen=True):
    """Everybody in a room, bots included."""

    players: int
    spectators: int
    bots: int


class RoomState(Struct, frozen=True, rename="camel"):
    """GET /parties/{party}/{roomId}/state."""

    room_id: str
    phase: str
    player_count: int
    player_counts: PlayerCounts
    settings: msgspec.Raw


class Health(Struct, frozen=True):
    """GET /healthz and /readyz of both tiers: `checks` says what was tried and how it went."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: dict[str, str] = {}


class Status(Struct, frozen=True):
    """GET /status of the lobby: whether a player can create a room and connect now."""

    status: Literal["ok", "unavailable"]


class CloseRoom(Struct, frozen=True, tag_field="action", tag="close"):
    """Control: close the room for good; everybody is sent away."""


class RemovePlayer(Struct, frozen=True, tag_field="action", tag="remove", rename="camel"):
    """Control: remove one member, as the host's KICK would."""

    player_id: Identity


class RetryAlarms(Struct, frozen=True, tag_field="action", tag="retry-alarms"):
    """Control: give alarms that were parked another try."""


Control = CloseRoom | RemovePlayer | RetryAlarms


class ControlReply(Struct, frozen=True):
    """The answer to POST /parties/{party}/{roomId}/control: it is done, and stored."""

    ok: Literal[True] = True


class Standing(Struct, frozen=True, rename="camel"):
    """How one participant ended a match. Equals share a rank, and the next one is skipped."""

    rank: Annotated[int, Meta(ge=1, le=INTEGER_MAX)]
    player_id: Identity
    username: Annotated[str, Meta(min_length=1, max_length=IDENTITY_MAX, pattern=r"^[^\x00]+\Z")]
    role: Literal["player", "bot"]
    score: Annotated[int, Meta(ge=-BIG_INTEGER_MAX, le=BIG_INTEGER_MAX)]


class MatchInfo(Struct, frozen=True, rename="camel"):
    """A finished match. Times are ISO 8601 in UTC, to the millisecond."""

    match_id: str
    room_id: str
    start_at: str
    end_at: str
    end_reason: str
    settings: msgspec.Raw


class MatchReport(Struct, frozen=True):
    """GET /api/matches/{matchId}: the match, and its standings by rank."""

    match: MatchInfo
    standings: list[Standing]


class RoomMatches(Struct, frozen=True, rename="camel"):
    """GET /api/rooms/{roomId}/matches: the room's finished matches, the newest first."""

    room_id: str
    matches: list[MatchInfo]


class LeaderboardEntry(Struct, frozen=True, rename="camel"):
    """One player's score in one match. Equals share a rank, and the next one is skipped."""

    rank: int
    username: str
    score: int
    match_id: str
    at: str  # when the match ended, ISO 8601 in UTC


class Leaderboard(Struct, frozen=True):
    """GET /api/leaderboard: the best scores, and of equal ones the earlier first."""

    window: Window
    entries: list[LeaderboardEntry]
