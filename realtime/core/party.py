"""The face of a room type: subclass `Party`, say what it keeps, handle its messages.

    class ChatParty(Party):
        slug = "chat"

        @message("chat.say", ChatSay)
        def say(self, room: Room, player: Player, chat: ChatSay) -> None:
            room.broadcast("chat.said", {"username": player.username, "text": chat.text})

Hooks and handlers are plain functions. They change `room.state` and tell players through `room`;
they return nothing, or raise `RoomError` to refuse, and then nothing has happened. They may be
run twice, so they keep nothing on `self`, and take time and chance only from `room`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct

from contracts.errors import Code, RoomError
from contracts.limits import PLAYER_CAP_MAX
from contracts.sockets import Close
from realtime.core.messages import Message, declared, message
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.core.rows import Status


class Nothing(Struct):
    """The state or settings of a party that has none."""


class Member(Struct, frozen=True, rename="camel"):
    """A member as everybody may see it."""

    player_id: str
    username: str
    role: str
    is_host: bool


class Party:
    """A room type. The defaults make a room that people can enter, see each other in, and leave."""

    slug: ClassVar[str]
    Settings: ClassVar[type[Struct]] = Nothing
    State: ClassVar[type[Struct]] = Nothing
    first_phase: ClassVar[str] = "lobby"
    snapshot_type: ClassVar[str] = "ROOM_SNAPSHOT"
    volatile_per_s: ClassVar[float] = 60.0  # a socket's volatile messages above this are dropped
    offers_lobby: ClassVar[bool] = True  # whether POST /api/rooms may create one
    messages: ClassVar[dict[str, Message]]

    def __init_subclass__(cls) -> None:
        for name, value in vars(cls).items():
            if inspect.iscoroutinefunction(value):
                raise TypeError(f"{cls.__name__}.{name}: write `def`, not `async def`")
        cls.messages = {}
        for base in reversed(cls.__mro__):
            cls.messages |= declared(base)
        for one in cls.messages.values():
            one.check(getattr(cls, one.name))

    def message_of(self, kind: str) -> Message:
        """The declared message of this type. Raises BAD_REQUEST for any other."""
        try:
            return self.messages[kind]
        except KeyError:
            raise RoomError(Code.BAD_REQUEST, "Unknown message type") from None

    def cap(self, settings: Any) -> int:
        """How many players (spectators do not count) may be in the room."""
        return PLAYER_CAP_MAX

    def status(self, phase: str) -> Status:
        """What listings say of a room in this phase."""
        return "open" if phase == self.first_phase else "in_game"

    def on_create(self, room: Room, host: Player) -> None:
        """The room was just created; fill in its state."""

    def on_register(self, room: Room, player: Player) -> None:
        """A further player was admitted, and has no connection yet."""
        self.announce(room, player)
        room.refresh()

    def on_join(self, room: Room, player: Player) -> None:
        """The player's first connection has just seen the room."""
        self.announce(room, player)

    def on_leave(self, room: Room, player: Player) -> None:
        """The player is no longer a member."""
        self.announce(room, player)
        room.refresh()

    def on_alarm(self, room: Room, name: str) -> None:
        """An alarm that `room.alarm` has set is due. If this raises, it is called again later."""
        raise NotImplementedError(f"{type(self).__name__} set {name!r}, yet has no on_alarm")

    def on_host(self, room: Room, host: Player) -> None:
        """Another player became host; only the view tells a client that it is the host."""
        room.broadcast_view()

    def view(self, room: Room) -> Mapping[str, object]:
        """The fields of a snapshot that everybody sees alike."""
        return {
            "roomId": room.id,
            "players": [self.member(room, player) for player in room.players],
        }

    def own_view(self, room: Room, player: Player) -> Mapping[str, object]:
        """The fields of a snapshot that only this player sees."""
        return {"me": self.member(room, player)}

    def member(self, room: Room, player: Player) -> Struct:
        """A member as everybody may see it."""
        return Member(player.player_id, player.username, player.role, room.is_host(player))

    def announce(self, room: Room, player: Player) -> None:
        """Tell everybody how this member looks now."""
        room.broadcast("PLAYER_UPDATE", {"player": self.member(room, player)})

    @message("LEAVE_ROOM")
    def leave(self, room: Room, player: Player) -> None:
        """The player gives its seat back."""
        self.dismiss(room, player)

    def dismiss(self, room: Room, player: Player, code: Close = Close.NORMAL) -> None:
        """Let a member go: who leaves, is removed, or stays away for too long."""
        room.release(player, code)

    def remove(self, room: Room, player: Player) -> None:
        """Send a member away who may not come back."""
        room.roster.ban(player)
        self.dismiss(room, player, Close.REMOVED)


Party.messages = declared(Party)
