"""What a turn asks to send. Nothing leaves before the turn is committed.

What is not for one connection alone also travels to other processes, hence the compact structs.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from contracts.sockets import Close
from realtime.core import frames


class Reply(Struct, frozen=True):
    """A frame for the connection that asked."""

    frame: bytes


class Enter(Struct, frozen=True):
    """The connection that asked becomes one of the player's, and sees this frame first."""

    player_id: str
    username: str
    frame: bytes


class ToPlayer(Struct, frozen=True, array_like=True, tag=1):
    """A frame for every connection of one player."""

    player_id: str
    frame: bytes


class ToAll(Struct, frozen=True, array_like=True, tag=2):
    """A frame for every connection in the room."""

    frame: bytes


class ToEach(Struct, frozen=True, array_like=True, tag=3):
    """A view for every connection of each of these players: a shared part, encoded once, and an own
    one."""

    head: bytes
    shared: bytes
    own: dict[str, bytes]  # by player id
    kept: bool  # a broadcast with its place among the others; if not, a newer one may replace it

    def frame(self, player_id: str) -> bytes:
        """What this player sees."""
        return frames.assemble(self.head, self.own[player_id], self.shared)

    @property
    def size_bytes(self) -> int:
        """What all the frames weigh together."""
        return sum(map(len, self.own.values())) + len(self.own) * len(self.head + self.shared)


class RefreshSoon(Struct, frozen=True, array_like=True, tag=4):
    """A fresh view for everybody, soon; several that wait become one."""


class Disconnect(Struct, frozen=True, array_like=True, tag=5):
    """Every connection of one player is closed."""

    player_id: str
    code: Close


Announced: TypeAlias = ToPlayer | ToAll | ToEach | RefreshSoon | Disconnect
Effect: TypeAlias = Reply | Enter | Announced
