"""The wire of `leet99`, the match room."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from contracts.limits import CHAT_TEXT_MAX, PLAYER_CAP_MAX

Status = Literal["lobby", "coding", "error", "underAttack", "eliminated"]


class Leet99Settings(Struct, frozen=True, rename="camel"):
    """Chosen by the host at create, and until the match starts."""

    match_duration_sec: Annotated[int, Meta(ge=3, le=600)] = 600
    player_cap: Annotated[int, Meta(ge=1, le=PLAYER_CAP_MAX)] = PLAYER_CAP_MAX
    stack_limit: Annotated[int, Meta(ge=5, le=20)] = 10
    starting_queued: Annotated[int, Meta(ge=1, le=5)] = 2
    difficulty_profile: Literal["beginner", "moderate", "competitive"] = "moderate"
    attack_intensity: Literal["low", "high"] = "low"


class SendChat(Struct, frozen=True):
    """SEND_CHAT. Trimmed, then 1-200 code points; the wide bound only stops floods early."""

    text: Annotated[str, Meta(max_length=CHAT_TEXT_MAX * 4)]


class PlayerView(Struct, frozen=True, rename="camel"):
    """A member as everybody sees it."""

    player_id: str
    username: str
    role: Literal["player", "bot", "spectator"]
    status: Status
    is_host: bool
    score: int = 0
    streak: int = 0
    targeting_mode: str = "random"
    stack_size: int = 0
    active_debuff: None = None
    active_buff: None = None


class MeView(Struct, frozen=True, rename="camel"):
    """The recipient itself."""

    player_id: str
    username: str
    role: Literal["player", "bot", "spectator"]
    is_host: bool
    status: Status


class ChatLine(Struct, frozen=True, rename="camel"):
    """One line of the room's chat; system lines have no sender."""

    id: str
    at: str
    kind: Literal["user", "system"]
    text: str
    from_player_id: str | UnsetType = UNSET
    from_username: str | UnsetType = UNSET


class LogEntry(Struct, frozen=True):
    """One line of the match's event log."""

    id: str
    at: str
    level: Literal["info", "warning", "error"]
    message: str


class MatchView(Struct, frozen=True, rename="camel"):
    """The match as everybody sees it; `match_id` is null in the lobby."""

    match_id: str | None
    phase: str  # lobby, warmup, main or ended
    settings: Leet99Settings
    start_at: str | UnsetType = UNSET
    end_at: str | UnsetType = UNSET
