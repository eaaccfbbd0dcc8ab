"""This process's sockets, by room and player.

A frame is encoded once, whoever gets it. The frames that a room sends to all in one tick of the
event loop leave together at its end, with one write for each socket: a write costs more than all
else about a frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from contracts.incidents import report
from contracts.limits import SOCKETS_PER_PLAYER
from contracts.sockets import Close
from realtime.core.effects import (
    Disconnect,
    Effect,
    Enter,
    RefreshSoon,
    Reply,
    ToAll,
    ToEach,
    ToPlayer,
)
from realtime.core.rows import RoomKey
from realtime.engine.frames import Frames


class Wire(Protocol):
    """The way out to one socket. No call waits, and none calls back before it returns.

    A view that `replaces` takes the place of an older one of its kind that has not left yet. What
    can't be sent in time closes the socket.
    """

    write: Callable[[bytes], None] | None  # takes joined frames at once; None: not now

    def send(self, frame: bytes) -> None: ...
    def send_all(self, frames: Frames) -> None: ...
    def show(self, view: bytes, *, replaces: bool) -> None: ...
    def close(self, code: Close) -> None: ...


class Connection:
    """One open socket and, once it has entered a room, whose it is."""

    __slots__ = ("closed", "key", "player_id", "sent", "username", "wire")

    def __init__(self, key: RoomKey, wire: Wire) -> None:
        self.key = key
        self.wire = wire
        self.player_id = ""  # empty: not authenticated, so no frame of the room may reach it
        self.username = ""
        self.sent = 0  # of the frames that its room sends to all in this tick
        self.closed = False


class Audience:
    """The connections of one room, and what all of them are to be sent in this tick."""

    __slots__ = ("connections", "pending", "players", "present")

    def __init__(self) -> None:
        self.connections: list[Connection] = []  # of all players
        self.players: dict[str, list[Connection]] = {}
        self.present: frozenset[str] = frozenset()
        self.pending: list[bytes] = []

    def catch_up(self, connection: Connection) -> None:
        """Send what is pending to one connection, before what is meant for it alone."""
        if connection.sent < len(self.pending):
            connection.wire.send_all(Frames(self.pending[connection.sent :]))
            connection.sent = len(self.pending)

    def flush(self) -> None:
        """Send what is pending to all; joined once for those who were sent nothing of it."""
        if not self.pending:
            return
        frames, self.pending = Frames(self.pending), []
        joined = frames.joined
        for connection in self.connections:
            try:
                if not connection.sent and (write := connection.wire.write):
                    write(joined)  # nearly always, and so without a call in between
                else:
                    _send_rest(connection, frames)
            except Exception as bug:  # noqa: BLE001  the others hear it whatever one wire does
                _part(connection, bug)


def _send_rest(connection: Connection, frames: Frames) -> None:
    """Send what a connection was not sent yet."""
    begin, connection.sent = connection.sent, 0
    if not begin:
        connection.wire.send_all(frames)
    elif begin < len(frames.each):
        connection.wire.send_all(Frames(frames.each[begin:]))


def _part(connection: Connection, bug: Exception) -> None:
    """Close a socket that could not be written to: it would miss a frame without knowing."""
    report(bug, "hub")
    with suppress(Exception):
        connection.wire.close(Close.BUG)


# Called when a player's last connection is gone: room, player, and whether its own end closed it.
OnAbsence: TypeAlias = Callable[[RoomKey, str, bool], None]
_Delivery: TypeAlias = Callable[[RoomKey, Any, Connection | None], None]


def _unheard(key: RoomKey, player_id: str, by_client: bool) -> None:
    """Nobody asked to be told."""


class Hub:
    """Delivers what committed turns ask to send, to the sockets that this process holds."""

    def __init__(self) -> None:
        self.on_absence: OnAbsence = _unheard
        self._rooms: dict[RoomKey, Audience] = {}
        self._unsent: list[Audience] = []  # those with something pending
        self._deliveries: dict[type[Effect], _Delivery] = {
            ToAll: self._to_all,
            Reply: self._reply,
            Enter: self._enter,
            ToPlayer: self._to_player,
            ToEach: self._to_each,
            Disconnect: self._disconnect,
            RefreshSoon: self._refresh_soon,
        }

    def present(self, key: RoomKey) -> frozenset[str]:
        """The players of a room who have a connection here."""
        audience = self._rooms.get(key)
        return audience.present if audience else frozenset()

    def count(self) -> int:
        """Connections that have entered a room."""
        return sum(
            len(connections)
            for audience in self._rooms.values()
            for connections in audience.players.values()
        )

    def enter(self, connection: Connection, player_id: str, username: str) -> None:
        """Make the connection one of the player's. Too many: its oldest is replaced."""
        if connection.closed:  # while its JOIN_ROOM was being committed, which took it for present
            if player_id not in self.present(connection.key):
                self.on_absence(connection.key, player_id, False)
            return
        former = self._leave(connection)
        connection.player_id, connection.username = player_id, username
        audience = self._rooms.setdefault(connection.key, Audience())
        connection.sent = len(audience.pending)
        connections = audience.players.setdefault(player_id, [])
        connections.append(connection)
        audience.connections.append(connection)
        audience.present |= {player_id}
        if former and former not in audience.present:  # it shows another player's token now
            self.on_absence(connection.key, former, True)
        if len(connections) > SOCKETS_PER_PLAYER:
            self._close(connections[0], Close.REPLACED)

    def drop(self, connection: Connection, *, by_client: bool = False) -> None:
        """The socket is gone, closed `by_client` or by us; harmless when that is known."""
        connection.closed = True
        player_id = self._leave(connection)
        if player_id and player_id not in self.present(connection.key):
            self.on_absence(connection.key, player_id, by_client)

    def _leave(self, connection: Connection) -> str:
        """Forget whose the connection is. Returns the player's id, empty if it never entered."""
        audience = self._rooms.get(connection.key)
        connections = audience.players.get(connection.player_id, []) if audience else []
        if audience is None or connection not in connections:
            return ""
        player_id, connection.player_id = connection.player_id, ""
        connections.remove(connection)
        audience.connections.remove(connection)
        if not connections:
            del audience.players[player_id]
            audience.present -= {player_id}
        if not audience.players:
            del self._rooms[connection.key]
        return player_id

    def expel(self, key: RoomKey, code: Close) -> None:
        """Close every connection in a room."""
        for player_id in self.present(key):
            for connection in self._connections(key, player_id):
                self._close(connection, code)

    def broadcast(self, key: RoomKey, frame: bytes) -> None:
        """Send one frame to every connection in a room, at the end of this tick."""
        audience = self._rooms.get(key)
        if audience is None:
            return
        if not audience.pending:
            if not self._unsent:
                asyncio.get_running_loop().call_soon(self.flush)
            self._unsent.append(audience)
        audience.pending.append(frame)

    def flush(self) -> None:
        """Send what all rooms have pending."""
        audiences, self._unsent = self._unsent, []
        for audience in audiences:
            audience.flush()

    def deliver(self, key: RoomKey, effects: Sequence[Effect], origin: Connection | None) -> None:
        """Send what one committed turn asks to send; `origin` is the connection that asked."""
        for effect in effects:
            self._deliveries[type(effect)](key, effect, origin)

    def _to_all(self, key: RoomKey, effect: ToAll, origin: Connection | None) -> None:
        self.broadcast(key, effect.frame)

    def _reply(self, key: RoomKey, effect: Reply, origin: Connection | None) -> None:
        if origin:
            self.send(origin, effect.frame)

    def _enter(self, key: RoomKey, effect: Enter, origin: Connection | None) -> None:
        if origin:
            self._catch_up(origin)
            self.enter(origin, effect.player_id, effect.username)
            origin.wire.show(effect.frame, replaces=False)

    def _to_player(self, key: RoomKey, effect: ToPlayer, origin: Connection | None) -> None:
        for connection in self._connections(key, effect.player_id):
            self.send(connection, effect.frame)

    def _to_each(self, key: RoomKey, effect: ToEach, origin: Connection | None) -> None:
        if audience := self._rooms.get(key):
            audience.flush()
        for player_id in effect.own:
            if connections := self._connections(key, player_id):
                frame = effect.frame(player_id)
                for connection in connections:
                    connection.wire.show(frame, replaces=not effect.kept)

    def _disconnect(self, key: RoomKey, effect: Disconnect, origin: Connection | None) -> None:
        for connection in self._connections(key, effect.player_id):
            self._close(connection, effect.code)

    def _refresh_soon(self, key: RoomKey, effect: RefreshSoon, origin: Connection | None) -> None:
        """A matter of the room's actor, which asks for a turn."""

    def _connections(self, key: RoomKey, player_id: str) -> list[Connection]:
        audience = self._rooms.get(key)
        return list(audience.players.get(player_id, ())) if audience else []

    def send(self, connection: Connection, frame: bytes) -> None:
        """Send a frame to one connection, after what its room has pending for it."""
        self._catch_up(connection)
        connection.wire.send(frame)

    def _catch_up(self, connection: Connection) -> None:
        if connection.player_id and (audience := self._rooms.get(connection.key)):
            audience.catch_up(connection)

    def _close(self, connection: Connection, code: Close) -> None:
        self._catch_up(connection)
        self.drop(connection)
        connection.wire.close(code)
