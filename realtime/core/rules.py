"""What each command does to a room, in the order that is part of the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from contracts import jsonio
from contracts.errors import Code, RoomError, bad_request
from contracts.http import Counts, PlayerCounts, RegisterReply, RoomState
from realtime.core import attendance
from realtime.core.alarms import Due
from realtime.core.commands import (
    Alarm,
    Command,
    Connect,
    EndRoom,
    Inspect,
    Presence,
    Receive,
    Refresh,
    Register,
    Remove,
    RetryAlarms,
    SetBack,
)
from realtime.core.effects import Enter
from realtime.core.presence import with_player
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
            max_spectators=room.surroundings.max_spectators,
        )
        room.party.on_register(room, player)
    return _registered(room)


def connect(room: Room, ask: Connect) -> None:
    """Show the room to a token's player: the view first, then what its coming changes."""
    player = room.roster.find(ask.token_hash)
    if player is None:
        raise RoomError(Code.UNAUTHORIZED, "This token opens nothing here")
    known = room.document.connected
    room.document.connected = with_player(known, ask.process, player.player_id)
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
    message.handle(ask.payload, room.party, room, player)


def presence(room: Room, ask: Presence) -> None:
    """Those who are away are noted by reconciling, which ends every turn."""
    host = room.roster.host
    if host in ask.left and host not in room.connected:
        attendance.shorten_host_grace(room)


def alarm(room: Room, ask: Alarm) -> None:
    """Let an alarm take effect, unless another turn already did or moved it."""
    due = room.alarms.get(ask.name)
    if due is None or due.parked or due.at > room.now:
        return
    del room.alarms[ask.name]
    if attendance.is_reserved(ask.name):
        attendance.ring(room, ask.name, late_s=room.now - due.at)
    else:
        room.party.on_alarm(room, ask.name)


def set_back(room: Room, ask: SetBack) -> None:
    """An alarm whose handler failed is tried again later, or parked."""
    if due := room.alarms.get(ask.name):
        for_ever = attendance.is_reserved(ask.name)  # the room looks after itself
        room.alarms[ask.name] = due.set_back(room.now, for_ever=for_ever)


def retry_alarms(room: Room, ask: RetryAlarms) -> None:
    """Parked alarms are due now."""
    for name, due in room.alarms.items():
        if due.parked:
            room.alarms[name] = Due(room.now)


def remove(room: Room, ask: Remove) -> None:
    """A member is sent away by an administrator."""
    player = room.roster.member(ask.player_id)
    if player is None:
        raise RoomError(Code.PLAYER_NOT_FOUND)
    room.party.remove(room, player)


def end_room(room: Room, ask: EndRoom) -> None:
    """The room is ended by an administrator."""
    room.close()


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
    """A fresh view for every connected player, or for those of one process."""
    there = room.document.connected.get(ask.process, ())
    room.effects.append(room.views(there if ask.process else room.connected))


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
    Presence: presence,
    Alarm: alarm,
    SetBack: set_back,
    RetryAlarms: retry_alarms,
    Remove: remove,
    EndRoom: end_room,
    Inspect: inspect,
    Refresh: refresh,
}
