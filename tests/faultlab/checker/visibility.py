"""When each version of a room became visible: no earlier than, and no later than."""

from __future__ import annotations

import math
from bisect import bisect_right

from tests.faultlab.checker.matching import Matching
from tests.faultlab.checker.names import name_key
from tests.faultlab.checker.records import Op
from tests.faultlab.checker.replay import Admission
from tests.faultlab.checker.subjects import Room

CLOCK_SLACK_S = 0.05  # between two readings of clocks


class Visibility:
    """Bounds on the moments at which a room's versions were committed."""

    def __init__(self, room: Room, matching: Matching, wall_offset: float | None) -> None:
        self.last = max((entry.version for entry in room.journal), default=0)
        self._not_before = [-math.inf] * (self.last + 1)
        self._not_after = [-math.inf] + [math.inf] * self.last
        self.acknowledged: list[tuple[float, int, str]] = []  # when, version, by what
        for row in room.rows:
            self._before(row.version, row.t1)
            self._after(row.version + 1, row.t0)
        if wall_offset is not None:
            for entry in room.journal:
                self._after(entry.version, entry.at - wall_offset - CLOCK_SLACK_S)
        self._by_operations(matching)
        self._close()

    def surely(self, t: float) -> int:
        """The newest version that was surely there at `t`."""
        return bisect_right(self._not_after, t) - 1

    def perhaps(self, t: float | None) -> int:
        """The newest version that may have been there at `t`."""
        return bisect_right(self._not_before, math.inf if t is None else t) - 1

    def between(self, t0: float, t1: float | None) -> range:
        """The versions that may have been current at some moment of an interval."""
        first, last = self.surely(t0), self.perhaps(t1)
        return range(min(first, last), max(first, last) + 1)

    def not_before(self, version: int) -> float:
        """The version came to be after this."""
        return self._not_before[version]

    def _after(self, version: int, t: float) -> None:
        if 0 < version <= self.last:
            self._not_before[version] = max(self._not_before[version], t)

    def _before(self, version: int, t: float) -> None:
        if 0 < version <= self.last:
            self._not_after[version] = min(self._not_after[version], t)

    def _by_operations(self, matching: Matching) -> None:
        for what, versions in matching.kept.items():
            ops = [op for op in matching.asked[what] if op.may_have_happened]
            if len(versions) == 1 and ops:
                self._by_these(versions[0], ops, ops)
        for admission in matching.admissions:
            asking = [op for op in matching.asking(admission) if op.may_have_happened]
            if asking and len(matching.admitted(admission.player_id)) == 1:
                self._by_these(admission.version, asking, _first(admission, matching.admitting))

    def _by_these(self, version: int, answered: list[Op], asked: list[Op]) -> None:
        self._after(version, min(op.t0 for op in asked))
        for op in answered:
            if op.outcome == "ok" and op.t1 is not None:
                self._before(version, op.t1)
                self.acknowledged.append((op.t1, version, f"op {op.id} ({op.op})"))

    def _close(self) -> None:
        """Later versions came later."""
        for version in range(1, self.last + 1):
            earlier = self._not_before[version - 1]
            self._not_before[version] = max(self._not_before[version], earlier)
        for version in range(self.last - 1, 0, -1):
            self._not_after[version] = min(self._not_after[version], self._not_after[version + 1])


def _first(admission: Admission, ops: list[Op]) -> list[Op]:
    """Every attempt that could have been the one that admitted this player."""
    key = name_key(admission.username)
    same = [op for op in ops if op.player_id == admission.player_id]
    return same + [op for op in ops if name_key(op.args["username"]) == key]
