"""The wire of `leet99`, the match room."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from contracts.http import Standing
from contracts.limits import BOTS_ADDED_MAX, CHAT_TEXT_MAX, PLAYER_CAP_MAX


class Phase(StrEnum):
    """Where the room's life stands."""

    LOBBY = "lobby"
    WARMUP = "warmup"
    MAIN = "main"
    ENDED = "ended"


EndReason = Literal["lastAlive", "timeExpired"]
Status = Literal["lobby", "coding", "error", "underAttack", "eliminated"]


MatchDuration = Annotated[int, Meta(ge=3, le=600)]  # seconds
PlayerCap = Annotated[int, Meta(ge=1, le=PLAYER_CAP_MAX)]
StackLimit = Annotated[int, Meta(ge=5, le=20)]
StartingQueued = Annotated[int, Meta(ge=1, le=5)]
Difficulty = Literal["beginner", "moderate", "competitive"]
Intensity = Literal["low", "high"]


class Leet99Settings(Struct, frozen=True, rename="camel"):
    """Chosen by the host at create, and until the match starts."""

    match_duration_sec: MatchDuration = 600
    player_cap: PlayerCap = PLAYER_CAP_MAX
    stack_limit: StackLimit = 10
    starting_queued: StartingQueued = 2
    difficulty_profile: Difficulty = "moderate"
    attack_intensity: Intensity = "low"


class SettingsPatch(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Some of the settings; those that are not there stay as they are."""

    match_duration_sec: MatchDuration | UnsetType = UNSET
    player_cap: PlayerCap | UnsetType = UNSET
    stack_limit: StackLimit | UnsetType = UNSET
    starting_queued: StartingQueued | UnsetType = UNSET
    difficulty_profile: Difficulty | UnsetType = UNSET
    attack_intensity: Intensity | UnsetType = UNSET

    def of(self, settings: Leet99Settings) -> Leet99Settings:
        """The settings with these changed."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        changed = {name: value for name, value in given.items() if value is not UNSET}
        return msgspec.structs.replace(settings, **changed)


class SendChat(Struct, frozen=True):
    """SEND_CHAT. Trimmed, then 1-200 code points; the wide bound only stops floods early."""

    text: Annotated[str, Meta(max_length=CHAT_TEXT_MAX * 4)]


class UpdateSettings(Struct, frozen=True):
    """UPDATE_SETTINGS: the settings to change; the others stay."""

    patch: SettingsPatch


class AddBots(Struct, frozen=True):
    """ADD_BOTS: so many at once."""

    count: Annotated[int, Meta(ge=1, le=BOTS_ADDED_MAX)]


class Kick(Struct, frozen=True, rename="camel"):
    """KICK: whom."""

    player_id: str


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
    phase: str  # a Phase
    settings: Leet99Settings
    start_at: str | UnsetType = UNSET
    end_at: str | UnsetType = UNSET
    end_reason: EndReason | UnsetType = UNSET
    standings: tuple[Standing, ...] | UnsetType = UNSET


class MatchEnd(Struct, frozen=True, rename="camel"):
    """MATCH_END: how it ended. There is no winner where several share the first rank."""

    match_id: str
    end_reason: EndReason
    winner_player_id: str | None
    standings: tuple[Standing, ...]
