"""Requests to touch a room. Pure data: the journal keeps them as they are, so no token is here."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from contracts.http import NO_SETTINGS, Role, Visibility


class Register(Struct, frozen=True, tag_field="command", tag="register"):
    """The lobby admits a player; with `is_host`, to a room that this very command creates."""

    player_id: str
    token_hash: str  # SHA-256 of the player's token, hexadecimal
    fingerprint: str  # SHA-256 of the decoded request: the same request again is not a second one
    username: str  # cleaned
    role: Role = "player"
    is_host: bool = False
    settings: msgspec.Raw = NO_SETTINGS
    visibility: Visibility = "private"


class Connect(Struct, frozen=True, tag_field="command", tag="connect"):
    """A socket, to this process, shows a player's token and wants to see the room."""

    token_hash: str
    process: str = ""


class Receive(Struct, frozen=True, tag_field="command", tag="receive"):
    """A message from a connected player."""

    player_id: str
    type: str
    payload: msgspec.Raw


class Presence(Struct, frozen=True, tag_field="command", tag="presence"):
    """Who is connected has changed. `left`: whose last socket was closed by its own end."""

    left: tuple[str, ...] = ()


class Alarm(Struct, frozen=True, tag_field="command", tag="alarm"):
    """The time of an alarm has come."""

    name: str


class SetBack(Struct, frozen=True, tag_field="command", tag="set-back"):
    """The handler of an alarm that was due has failed: later again, or not any more."""

    name: str


class RetryAlarms(Struct, frozen=True, tag_field="command", tag="retry-alarms"):
    """Alarms that were given up get another try."""


class Remove(Struct, frozen=True, tag_field="command", tag="remove"):
    """An administrator removes a member."""

    player_id: str


class EndRoom(Struct, frozen=True, tag_field="command", tag="end-room"):
    """An administrator closes the room."""


class Inspect(Struct, frozen=True, tag_field="command", tag="inspect"):
    """Somebody asks for the room's summary."""


class Refresh(Struct, frozen=True, tag_field="command", tag="refresh"):
    """Every player connected, to this process if one is named, is owed a fresh view."""

    process: str = ""


Command: TypeAlias = (
    Register
    | Connect
    | Receive
    | Presence
    | Alarm
    | SetBack
    | RetryAlarms
    | Remove
    | EndRoom
    | Inspect
    | Refresh
)
