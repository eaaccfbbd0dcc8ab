"""One room's records with everything that is concluded from them, for the checks to share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from tests.faultlab.checker.history import History
from tests.faultlab.checker.homes import Homes, find_homes, is_foreign
from tests.faultlab.checker.matching import ADMITS, Matching
from tests.faultlab.checker.records import Frame
from tests.faultlab.checker.replay import REPLAYED, Replay
from tests.faultlab.checker.subjects import Room, RoomKey, Socket
from tests.faultlab.checker.visibility import Visibility


class Case(Struct):
    """What a check of one room reads."""

    history: History
    room: Room
    replay: Replay
    matching: Matching
    visibility: Visibility
    sockets: list[Socket]  # whose frames are this room's; the others are in `foreign`
    foreign: list[Frame]

    @property
    def replayed(self) -> bool:
        """Whether the rules of this room's party are known here."""
        return self.room.key.party in REPLAYED

    @property
    def views(self) -> Iterator[dict[str, Any]]:
        """The payloads of the snapshots that sockets of this room received."""
        for socket in self.sockets:
            yield from (frame.payload for frame in socket.views)


def cases(history: History) -> Iterator[Case]:
    """Each room of a history."""
    homes = find_homes(history)
    strays = [op for op in history.ops if op.room is None and op.op in ADMITS]
    for room in history.rooms.values():
        replay = Replay(room)
        matching = Matching(room, replay, [op for op in strays if op.party == room.key.party])
        visibility = Visibility(room, matching, history.wall_offset)
        sockets, foreign = _sockets(history, room.key, homes)
        yield Case(history, room, replay, matching, visibility, sockets, foreign)


def _sockets(history: History, key: RoomKey, homes: Homes) -> tuple[list[Socket], list[Frame]]:
    sockets: list[Socket] = []
    foreign: list[Frame] = []
    for socket in history.sockets.values():
        if socket.key != key:
            continue
        odd = [frame for frame in socket.frames if is_foreign(frame, key, homes)]
        own = [frame for frame in socket.frames if not odd or frame not in odd]
        sockets.append(Socket(socket.opened, socket.entered, socket.closed, own))
        foreign += odd
    return sockets, foreign


def repeated(items: Iterable[str]) -> list[str]:
    """Those that come more than once."""
    seen: set[str] = set()
    return [item for item in items if item in seen or seen.add(item)]  # type: ignore[func-returns-value]
