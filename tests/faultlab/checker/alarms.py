"""I16: an alarm takes effect exactly once, and not before its time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faultlab.checker.case import Case, repeated
from tests.faultlab.checker.replay import Plan
from tests.faultlab.checker.state import State
from tests.faultlab.checker.stored import Journal

CLOCK_SLACK_S = 0.001  # times are rounded where they are stored
SHORTENED = ("host",)  # may be moved to an earlier time
PHASES = {"main": ("warmup",), "end": ("warmup", "main")}  # in which a match's alarms can ring


def alarms_ring_once(case: Case) -> Iterator[str]:
    """By the room's phase and members: what was done already is not done again."""
    for entry in _alarms(case):
        name = _name(entry)
        before = case.replay.at(entry.version - 1)
        if before is not None and case.replayed and not _may_ring(name, before):
            yield f"version {entry.version}: {name} rang again, or for nothing"
    for row in case.room.rows:
        after = [entry for entry in _alarms(case) if entry.version == row.version + 1]
        for entry in after:
            if _name(entry) not in row.state.get("alarms", {}):
                yield f"version {entry.version}: {_name(entry)} rang, and was not planned"


def alarms_ring_in_time(case: Case) -> Iterator[str]:
    """Not before they were due."""
    for entry in _alarms(case):
        due = max([*_planned(case, entry), *_seen(case, entry)], default=0.0)
        if entry.at < due - CLOCK_SLACK_S:
            yield f"version {entry.version}: {_name(entry)} rang {due - entry.at:.3f} s early"


def no_alarm_is_forgotten(case: Case) -> Iterator[str]:
    """One that is due rings soon, where nothing is broken."""
    final, offset = case.room.final, case.history.wall_offset
    if final is None or offset is None or final.status == "closed":
        return
    for name, due in final.state.get("alarms", {}).items():
        late_s = final.t0 - case.history.calm_from(due["at"] - offset, final.t0)
        if late_s > case.history.run.alarm_grace_s and not due.get("failures"):
            yield f"{name} could have rung {late_s:.1f} s ago, and has not"


def matches_end_once(case: Case) -> Iterator[str]:
    """One row for each match; no row without an end, no end without a row."""
    if not case.replayed:
        return
    for match_id in repeated(match.match_id for match in case.room.matches):
        yield f"the match {match_id} has two rows"
    if case.room.final and len({one.match_id for one in case.room.matches}) != case.replay.ended:
        yield f"{case.replay.ended} matches ended, and {len(case.room.matches)} have a row"


def match_end_is_told_once(case: Case) -> Iterator[str]:
    """Everybody hears of one end at one seq."""
    ends: defaultdict[str, set[int]] = defaultdict(set)
    for socket in case.sockets:
        for seq, frame in socket.kept:
            if frame.type == "MATCH_END" and not case.history.unsure(socket, frame):
                ends[frame.payload["matchId"]].add(seq)
    for match_id, seqs in ends.items():
        if len(seqs) > 1:
            yield f"the match {match_id} ended at the seqs {sorted(seqs)}"


def _alarms(case: Case) -> list[Journal]:
    return [entry for entry in case.room.journal if entry.command == "alarm"]


def _name(entry: Journal) -> str:
    return str(entry.entry["command"]["name"])


def _may_ring(name: str, before: State) -> bool:
    if name in PHASES:
        return before.vague or before.phase in PHASES[name]
    if name.startswith("seat:"):
        return name.removeprefix("seat:") in before.members
    return True


def _planned(case: Case, entry: Journal) -> Iterator[float]:
    """When the match under way has planned this alarm."""
    plans: list[Plan] = [one for one in case.replay.plans if one.version < entry.version]
    if plans and _name(entry) in plans[-1].due:
        yield plans[-1].due[_name(entry)]


def _seen(case: Case, entry: Journal) -> Iterator[float]:
    """When a row before it says that it is due: a plan is only ever moved to a later time."""
    name = _name(entry)
    rows = [row for row in case.room.rows if row.version < entry.version]
    newest = max(rows, key=lambda row: row.version, default=None)
    due: dict[str, Any] | None = newest.state.get("alarms", {}).get(name) if newest else None
    if newest is None or due is None:
        return
    between = range(newest.version + 1, entry.version)
    moved = any(one.version in between and _moves(name, one) for one in case.room.journal)
    if not moved:
        yield due["at"]


def _moves(name: str, entry: Journal) -> bool:
    """Whether this turn may have planned the alarm anew, for an earlier time than before."""
    return name in SHORTENED or entry.command == "retry-alarms"
