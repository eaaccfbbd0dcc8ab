"""A whole history, sorted by what its records are about."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from tests.faultlab.checker.records import (
    Baseline,
    Clock,
    Closed,
    End,
    Entered,
    Fault,
    Frame,
    Log,
    Op,
    Open,
    Record,
    Rewind,
    Run,
    Text,
    Token,
    Try,
)
from tests.faultlab.checker.stored import Journal, Match, Proof, Row, Seat, Served, Stored
from tests.faultlab.checker.subjects import Room, RoomKey, Socket

R = TypeVar("R", bound=Record)
AnyRecord: TypeAlias = (
    Run
    | Clock
    | End
    | Op
    | Open
    | Entered
    | Closed
    | Frame
    | Token
    | Try
    | Fault
    | Rewind
    | Log
    | Text
    | Baseline
    | Row
    | Journal
    | Seat
    | Match
    | Served
    | Proof
)
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


class Violation(NamedTuple):
    """One promise that was broken, and where it shows."""

    invariant: str
    what: str


class NotAHistory(ValueError):
    """The lines can't be read, or something is missing. Nothing can be said of such a run."""


class History:
    """The records of one run."""

    def __init__(self, records: Iterable[AnyRecord], lines: Iterable[str] = ()) -> None:
        self.lines = list(lines)
        self._by_kind: defaultdict[type[Record], list[AnyRecord]] = defaultdict(list)
        for record in records:
            self._by_kind[type(record)].append(record)
        if not self.all(End):
            raise NotAHistory("it has no `end`: the final observations may be missing")
        self.run = next(iter(self.all(Run)), Run())
        self.ends_at = max(end.t for end in self.all(End))
        rewinds = self.all(Rewind)
        self.faults = [*self.all(Fault), *(Fault("set back", one.t0, one.t1) for one in rewinds)]
        self.ops = sorted(map(self._op, self.all(Op)), key=lambda op: op.t0)
        self.sockets = self._sockets()
        self.rooms = self._rooms()

    @classmethod
    def read(cls, text: str) -> History:
        """The history that these lines are. Raises NotAHistory."""
        lines = text.splitlines()
        return cls([_record(number, line) for number, line in enumerate(lines, 1) if line], lines)

    def all(self, kind: type[R]) -> list[R]:
        """Every record of one kind, in the order of their lines."""
        return self._by_kind[kind]  # type: ignore[return-value]

    @property
    def wall_offset(self) -> float | None:
        """Seconds to add to monotonic times to get those of the epoch; None when nobody looked."""
        offsets = [clock.wall - clock.t for clock in self.all(Clock)]
        return max(offsets) if offsets else None

    def explained(self, t0: float, t1: float | None) -> bool:
        """Whether a fault overlaps this interval, or had only just gone."""
        return any(_overlaps(one, t0, t1, self.run.fault_grace_s) for one in self.faults)

    def lost(self, t0: float, t1: float | None) -> bool:
        """Whether what was asked and answered within this interval may be of a history that storage
        lost."""
        return any(t0 <= one.t1 and (t1 is None or t1 >= one.t0) for one in self.all(Rewind))

    def unsure(self, socket: Socket, frame: Frame) -> bool:
        """Whether a frame may be of a lost history: its socket entered before that was lost."""
        asked = socket.entered.asked if socket.entered else None
        return self.lost(socket.opened.t if asked is None else asked, frame.t)

    def _op(self, op: Op) -> Op:
        """One that was under way when its outcome may have been lost: nobody knows what is left.
        What was asked after storage had been set back, and granted, has to be there."""
        unsure = op.outcome != "unknown" and self.lost(op.t0, op.t1)
        return msgspec.structs.replace(op, outcome="unknown") if unsure else op

    def calm_from(self, t0: float, t1: float) -> float:
        """When, within an interval, nothing was broken any more; infinity if never."""
        grace_s = self.run.fault_grace_s
        faults = [one for one in self.faults if _overlaps(one, t0, t1, grace_s)]
        return max([t0, *(math.inf if one.t1 is None else one.t1 + grace_s for one in faults)])

    def _sockets(self) -> dict[str | int, Socket]:
        sockets = {opened.conn: Socket(opened) for opened in self.all(Open)}
        try:
            for entered in self.all(Entered):
                sockets[entered.conn].entered = entered
            for closed in self.all(Closed):
                sockets[closed.conn].closed = closed
            for frame in sorted(self.all(Frame), key=lambda one: one.t):
                sockets[frame.conn].frames.append(frame)
        except KeyError as unknown:
            raise NotAHistory(f"conn {unknown} was never opened") from None
        return sockets

    def _rooms(self) -> dict[RoomKey, Room]:
        rooms: dict[RoomKey, Room] = {}
        for op in self.ops:
            if op.room is not None:
                _room(rooms, op.party, op.room).ops.append(op)
        for kind, place in _PLACES.items():
            for one in self.all(kind):
                if not (isinstance(one, Row) and self.lost(one.t0, one.t1)):
                    getattr(_room(rooms, one.party, one.room), place).append(one)
        for room in rooms.values():
            room.journal.sort(key=lambda entry: entry.version)
            room.rows.sort(key=lambda row: (row.final, row.t0))
        return rooms


_PLACES: dict[type[Stored], str] = {
    Journal: "journal",
    Row: "rows",
    Seat: "seats",
    Match: "matches",
    Served: "served",
    Proof: "proofs",
}


def _room(rooms: dict[RoomKey, Room], party: str, room: str) -> Room:
    key = RoomKey(party, room)
    return rooms.setdefault(key, Room(key))


def _record(number: int, line: str) -> AnyRecord:
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError as problem:
        raise NotAHistory(f"line {number}: {problem}") from None


def _overlaps(fault: Fault, t0: float, t1: float | None, grace_s: float) -> bool:
    ended = math.inf if fault.t1 is None else fault.t1 + grace_s
    return t0 <= ended and (t1 is None or t1 >= fault.t0 - 1)
