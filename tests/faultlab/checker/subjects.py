"""What a history is about: its rooms and its sockets."""

from __future__ import annotations

import math
from typing import NamedTuple

from msgspec import Struct, field

from tests.faultlab.checker.records import Closed, Entered, Frame, Op, Open
from tests.faultlab.checker.stored import Journal, Match, Proof, Row, Seat, Served


class RoomKey(NamedTuple):
    """How the outside names a room."""

    party: str
    room: str


class Socket(Struct):
    """One connection from its handshake to its end."""

    opened: Open
    entered: Entered | None = None
    closed: Closed | None = None
    frames: list[Frame] = field(default_factory=list)

    @property
    def key(self) -> RoomKey:
        """The room in whose address it was opened."""
        return RoomKey(self.opened.party, self.opened.room)

    @property
    def kept(self) -> list[tuple[int, Frame]]:
        """The kept broadcasts that it received, each with its seq."""
        return [(frame.seq, frame) for frame in self.frames if frame.seq is not None]

    @property
    def views(self) -> list[Frame]:
        """The snapshots that it received."""
        return [frame for frame in self.frames if frame.type == "ROOM_SNAPSHOT"]

    @property
    def ends_at(self) -> float:
        """When it closed; infinity when it never did."""
        return self.closed.t if self.closed else math.inf


class Room(Struct):
    """What was asked of one room and what storage held of it."""

    key: RoomKey
    ops: list[Op] = field(default_factory=list)
    journal: list[Journal] = field(default_factory=list)  # by version
    rows: list[Row] = field(default_factory=list)  # by the time they were asked for
    seats: list[Seat] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)

    @property
    def final(self) -> Row | None:
        """The last row, read when everything was at rest."""
        return next((row for row in reversed(self.rows) if row.final), None)

    def __str__(self) -> str:
        return f"{self.key.party}/{self.key.room}"
