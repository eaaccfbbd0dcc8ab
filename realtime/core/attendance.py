"""Who is away, and what follows from it. By level, not by edge: every turn knows who is connected,
so nothing here depends on having seen a socket close.

An absence is an alarm of the room, set when first noticed and cancelled by a return. It counts
only while somebody served: one that rings too late starts anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.sockets import Close
from realtime.core.alarms import Due
from realtime.core.effects import Disconnect
from realtime.core.presence import without_player
from realtime.core.roster import Player

if TYPE_CHECKING:
    from realtime.core.room import Room

HOST = "host"  # the host is away
SEAT = "seat:"  # and a player's id: that member is away
EMPTY = "empty"  # nobody is connected, and nothing is planned
ROLL_CALL = "roll-call"  # somebody was connected: look whether that is still so


def is_reserved(name: str) -> bool:
    """Whether this alarm is of attendance, not of the party."""
    return name.startswith(SEAT) or name in (HOST, EMPTY, ROLL_CALL)


def reconcile(room: Room) -> None:
    """Set and cancel the alarms so that they say who is away now."""
    if room.closed:
        room.alarms.clear()
        for player in room.present:
            room.disconnect(player, Close.ROOM_NOT_FOUND)
        room.document.connected = {}
        return
    _send_strangers_away(room)
    roster, graces, connected = room.roster, room.surroundings.graces, room.connected
    somebody = not connected.isdisjoint(roster.players)
    host_away = roster.host is not None and roster.host not in connected
    _plan(room, ROLL_CALL, somebody, graces.roll_call_s)
    _plan(room, HOST, host_away, graces.host_lost_s)
    _plan(room, EMPTY, not somebody and not _plans(room), graces.empty_s)
    _plan_seats(room, graces.seat_s)


def shorten_host_grace(room: Room) -> None:
    """The host's last socket was closed by its own end: the shorter grace is enough."""
    due = Due(room.now + room.surroundings.graces.host_left_s)
    known = room.alarms.get(HOST, due)
    room.alarms[HOST] = min(due, known, key=lambda one: one.at)


def ring(room: Room, name: str, late_s: float) -> None:
    """An absence has lasted. Reconciling, which ends every turn, plans what goes on."""
    if name == ROLL_CALL or late_s > room.surroundings.graces.late_s:
        return
    if name == EMPTY:
        room.close()
    elif name == HOST:
        _replace_host(room)
    elif player := room.roster.member(name.removeprefix(SEAT)):
        _give_up_seat(room, player)


def _send_strangers_away(room: Room) -> None:
    """Whoever is connected and no member any more: the process that has the socket missed why."""
    member = room.roster.players.get
    strangers = [one for one in room.connected if (known := member(one)) is None or known.retired]
    for player_id in strangers:
        removed = player_id in room.roster.removed
        room.effects.append(Disconnect(player_id, Close.REMOVED if removed else Close.NORMAL))
        room.document.connected = without_player(room.document.connected, player_id)


def _replace_host(room: Room) -> None:
    if room.roster.host in room.connected:
        return
    room.roster.host = None
    if host := room.roster.elect(room.connected):
        room.party.on_host(room, host)
    else:
        room.refresh()


def _give_up_seat(room: Room, player: Player) -> None:
    if player.player_id not in room.connected:
        room.party.dismiss(room, player)


def _plan(room: Room, name: str, wanted: bool, grace_s: float) -> None:
    if not wanted:
        room.alarms.pop(name, None)
    elif name not in room.alarms:
        room.alarms[name] = Due(room.now + grace_s)


def _plans(room: Room) -> bool:
    """Whether the party itself waits for something."""
    own = [due for name, due in room.alarms.items() if not is_reserved(name)]
    return any(not due.parked for due in own)


def _plan_seats(room: Room, grace_s: float) -> None:
    away = _away(room) if grace_s and room.phase == room.party.first_phase else {}
    planned = room.alarms
    for name in [one for one in planned if one not in away and one.startswith(SEAT)]:
        del planned[name]
    if missing := [name for name in away if name not in planned]:
        planned |= dict.fromkeys(missing, Due(room.now + grace_s))


def _away(room: Room) -> dict[str, None]:
    """The alarms of those who could be connected and are not, as they joined."""
    members, connected = room.roster.players, room.connected
    if members.keys() <= connected:  # most turns: nobody is
        return {}
    return {
        SEAT + player_id: None
        for player_id, player in members.items()
        if player_id not in connected and player.role != "bot" and not player.retired
    }
