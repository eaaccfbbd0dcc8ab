"""A room whose stored state its party cannot read: an older program's, or a newer one's.

Nothing touches such a room, and every command says ROOM_UNREADABLE. Only an administrator may close
it, which needs no more of the state than what every room has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.http import NO_SETTINGS
from contracts.limits import PLAYER_CAP_MAX
from contracts.sockets import Close
from realtime.core.commands import Command, EndRoom
from realtime.core.effects import Disconnect
from realtime.core.presence import Connected, everybody
from realtime.core.rows import Commit, JournalRow, Revision, RoomKey, RoomRow, Snapshot
from realtime.core.surroundings import Surroundings
from realtime.core.turns import Entry, Rung, Turn, check_open


class _Member(Struct, frozen=True):
    role: str = ""


class _Members(Struct, frozen=True):
    players: dict[str, _Member] = {}


class _Common(Struct):
    """What the states of all parties have, in every version of this program."""

    phase: str = "unreadable"
    visibility: str = "private"
    seq: int = 0
    settings: Raw = NO_SETTINGS
    expires_at: float | None = None
    connected: Connected = {}
    roster: _Members = _Members()


class UnreadableRoom:
    """Takes the place of Turns for such a room."""

    open = False
    unreadable = True
    next_alarm = None  # its alarms rest; the clock finds them when a program can read them again

    def __init__(self, key: RoomKey, snapshot: Snapshot, surroundings: Surroundings) -> None:
        self._key = key
        self._surroundings = surroundings
        self._now = 0.0
        self._snapshot = snapshot
        self._common = _common(snapshot.state)
        self._draft: Commit | None = None
        self._tag = 0  # of the last draft
        self.uuid, self.revision, self.at = snapshot.uuid, snapshot.revision, snapshot.at
        self.processes = frozenset(self._common.connected)

    def begin(self, now: float, correct: Callable[[Connected], Connected]) -> None:
        """As Turns.begin."""
        self._now = round(now, 6)

    def run(self, command: Command, seed: int, request_id: object = None) -> Turn:
        """Close the room, or refuse."""
        expires_at = self._draft.row.expires_at if self._draft else self._common.expires_at
        try:
            check_open(expires_at, command)
        except RoomError as refusal:
            return Turn(error=refusal)
        if not isinstance(command, EndRoom):
            return Turn(error=RoomError(Code.ROOM_UNREADABLE))
        self._draft = self._closing(command, seed)
        sent_away = sorted(everybody(self._common.connected))
        return Turn(effects=tuple(Disconnect(one, Close.ROOM_NOT_FOUND) for one in sent_away))

    def ring(self, *_: object) -> list[Rung]:
        """Ring no alarm: its handler could not read the state."""
        return []

    def draft(self, tag: int = 0) -> Commit | None:
        """As Turns.draft."""
        self._tag = tag
        return self._draft and msgspec.structs.replace(self._draft, tag=tag)

    def committed(self) -> None:
        """As Turns.committed."""
        if self._draft:
            self.revision = Revision(self._draft.version, self._tag)
            self._draft = None

    def _closing(self, command: EndRoom, seed: int) -> Commit:
        version = self._snapshot.version + 1
        entry = jsonio.encode(Entry(command, seed))
        return Commit(
            key=self._key,
            uuid=self.uuid,
            base=self._snapshot.version,
            base_tag=self._snapshot.tag,
            row=self._closed_row(self._now + self._surroundings.graces.closed_s),
            journal=(JournalRow(version, self._now, "end-room", "", entry),),
            changed=(),
            seats=(),
        )

    def _closed_row(self, expires_at: float) -> RoomRow:
        """The row of the room when it is closed. Its state stays as it was but for that."""
        common, members = self._common, self._common.roster.players.values()
        players = sum(member.role == "player" for member in members)
        end = {"expires_at": expires_at, "alarms": {}, "connected": {}}
        return RoomRow(
            visibility=common.visibility if common.visibility == "public" else "private",
            status="closed",
            phase=common.phase,
            max_players=max(PLAYER_CAP_MAX, players),
            players=players,
            spectators=sum(member.role == "spectator" for member in members),
            settings=bytes(common.settings),
            seq=common.seq,
            state=jsonio.encode(_fields(self._snapshot.state) | end),
            expires_at=expires_at,
        )


def _common(state: bytes) -> _Common:
    """What can be read of a state. Of a field that can't be, the default."""
    common = _Common()
    for name, raw in _fields(state).items():
        field = _TYPES.get(name)
        try:
            if field is not None:
                setattr(common, name, msgspec.json.decode(raw, type=field))
        except msgspec.MsgspecError:
            continue
    return common


_TYPES: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(_Common)}


def _fields(state: bytes) -> dict[str, Any]:
    """The fields of a state, as they are encoded."""
    try:
        return msgspec.json.decode(state, type=dict[str, Raw])
    except msgspec.MsgspecError:
        return {}
