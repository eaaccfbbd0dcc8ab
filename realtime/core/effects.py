"""What a turn asks to send. Nothing leaves before the turn is committed."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from contracts.sockets import Close


class Reply(NamedTuple):
    """A frame for the connection that asked."""

    frame: bytes


class Enter(NamedTuple):
    """The connection that asked becomes one of the player's, and sees this frame first."""

    player_id: str
    username: str
    frame: bytes


class ToPlayer(NamedTuple):
    """A frame for every connection of one player."""

    player_id: str
    frame: bytes


class ToAll(NamedTuple):
    """A frame for every connection in the room."""

    frame: bytes


class ToEach(NamedTuple):
    """A frame of its own for every connection of each of these players."""

    frames: dict[str, bytes]
    kept: bool  # a broadcast with its place among the others; if not, a newer one may replace it


class RefreshSoon(NamedTuple):
    """A fresh view for everybody, soon; several that wait become one."""


class Disconnect(NamedTuple):
    """Every connection of one player is closed."""

    player_id: str
    code: Close


Effect: TypeAlias = Reply | Enter | ToPlayer | ToAll | ToEach | RefreshSoon | Disconnect
