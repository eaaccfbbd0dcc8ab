"""What each command does to a room, in the order that is part of the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from contracts import jsonio
from contracts.errors import Code, RoomError, bad_request
from contracts.http import Counts, PlayerCounts, RegisterReply, RoomState
from realtime.core.commands import Command, Connect, Inspect, Receive, Refresh, Register
from realtime.core.effects import Enter
from realtime.core.messages import read_payload
from realtime.core.room import Room

Rule: TypeAlias = Callable[[Room, Any], object]


def create(room: Room, ask: Register) -> RegisterReply:
    """A host's register on a room that does not exist creates it."""
    _check_host(ask)
    host = room.roster.found(ask, room.now)
    room.party.on_create(room, host)
    return _registered(room)


def register(room: Room, ask: Register) -> RegisterReply:
    """Admit one more player, or answer one who asks again as the first time."""
    _check_host(ask)
    if not room.roster.recognise(ask):
        player = room.roster.admit(
            ask,
            room.now,
            started=room.phase != room.party.first_phase,
            cap=room.party.cap(room.settings),
            max_spectators=room.max_spectators,
        )
        room.party.on_register(room, player)
    return _registered(room)


def connect(room: Room, ask: Connect) -> None:
    """Show the room to a token's player: the view first, then what its coming changes."""
    player = room.roster.find(ask.token_hash)
    if player is None:
        raise RoomError(Code.UNAUTHORIZED, "This token opens nothing here")
    if player.player_id not in room.connected:
        room.connected = room.connected | {player.player_id}
    host = room.roster.elect(room.connected)
    room.effects.append(Enter(player.player_id, player.username, room.view_for(player)))
    if host:
        room.party.on_host(room, host)
    if not player.arrived:
        room.party.on_join(room, room.roster.arrive(player))


def receive(room: Room, ask: Receive) -> None:
    """Hand a member's message to the party's handler."""
    player = room.roster.member(ask.player_id)
    if player is None:
        raise RoomError(Code.UNAUTHORIZED, "You are not a member of this room any more")
    message = room.party.message_of(ask.type)
    payload = read_payload(message.kind, message.payload, ask.payload)
    answer: object = message.handler(room.party, room, player, payload)
    if answer is not None:
        raise TypeError(
            f"{message.handler.__qualname__} returned {answer!r}. A handler returns nothing: "
            "it calls room.reply, room.send or room.broadcast, or raises RoomError."
        )


def inspect(room: Room, ask: Inspect) -> RoomState:
    """The room's summary."""
    count = room.roster.count
    counts = PlayerCounts(count("player"), count("spectator"), count("bot"))
    return RoomState(
        room_id=room.id,
        phase=room.phase,
        player_count=counts.players + counts.spectators + counts.bots,
        player_counts=counts,
        settings=jsonio.raw(room.settings),
    )


def refresh(room: Room, ask: Refresh) -> None:
    """A fresh view for every connected player."""
    room.effects.append(room.views())


def _check_host(ask: Register) -> None:
    if ask.is_host and ask.role != "player":
        raise bad_request("role", "A host is a player")


def _registered(room: Room) -> RegisterReply:
    count = room.roster.count
    return RegisterReply(
        room_id=room.id,
        settings=jsonio.raw(room.settings),
        match_phase=room.phase,
        phase=room.phase,
        counts=Counts(count("player"), count("spectator")),
    )


RULES: dict[type[Command], Rule] = {
    Register: register,
    Connect: connect,
    Receive: receive,
    Inspect: inspect,
    Refresh: refresh,
}
