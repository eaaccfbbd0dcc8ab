"""I11 and I13: nothing is told before it is kept, and nobody is shown an older room than before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tests.faultlab.checker.case import Case
from tests.faultlab.checker.records import Frame, Op
from tests.faultlab.checker.state import State


class Told(NamedTuple):
    """Something that was known from a moment on: the room had reached this number."""

    t: float
    number: int
    what: str


class Look(NamedTuple):
    """An answer, or a view, that must fit one of the versions of its time."""

    t0: float
    t1: float
    what: str
    counts: dict[str, int]  # by role
    players: frozenset[str] | None
    phase: str | None


def nothing_is_told_early(case: Case) -> Iterator[str]:
    """I11, by the runner's proofs and by each row that was read later."""
    for proof in case.room.proofs:
        if not proof.found and not case.history.lost(proof.t, proof.t):
            yield f"{proof.of} {proof.ref} arrived at {proof.t}, and storage did not have it"
    acknowledged = [Told(*one) for one in case.visibility.acknowledged]
    rows = [(row.t0, row.version) for row in case.room.rows]
    yield from _behind(acknowledged, rows, "version")
    frames = [
        Told(frame.t, seq, f"{frame.type} on {frame.conn}")
        for socket in case.sockets
        for seq, frame in socket.kept
        if not case.history.unsure(socket, frame)
    ]
    yield from _behind(frames, [(row.t0, row.seq) for row in case.room.rows], "seq")


def reads_are_monotonic(case: Case) -> Iterator[str]:
    """I13, for the rows themselves, the state that was asked for, and a socket's first view."""
    rows = [
        Told(row.t1, row.version, f"the row of version {row.version}") for row in case.room.rows
    ]
    yield from _behind(rows, [(row.t0, row.version) for row in case.room.rows], "version")
    if not case.replayed:
        return
    seen: list[tuple[float, int]] = []  # when it was answered, the version it needs
    for look in sorted(_looks(case), key=lambda one: one.t0):
        if case.history.lost(look.t0, look.t1):
            continue
        floor = max((version for t, version in seen if t < look.t0), default=0)
        versions = case.visibility.between(look.t0, look.t1)
        fitting = (v for v in versions if v >= floor and _fits(look, case.replay.at(v)))
        found = next(fitting, None)
        if found is None:
            yield f"{look.what} fits no version from {max(floor, versions.start)} on"
        else:
            seen.append((look.t1, found))


def _behind(told: Iterable[Told], seen: list[tuple[float, int]], unit: str) -> Iterator[str]:
    """Whoever looked later and saw less."""
    facts, best = sorted(told, reverse=True), Told(0, 0, "")
    for t0, number in sorted(seen):
        while facts and facts[-1].t < t0:
            best = max(best, facts.pop(), key=lambda one: one.number)
        if number < best.number:
            yield f"{best.what} told {unit} {best.number} at {best.t}; at {t0} it was {number}"


def _looks(case: Case) -> Iterator[Look]:
    for op in case.room.ops:
        if op.outcome == "ok" and op.reply and op.t1 is not None:
            yield from _of_op(op, op.t1, op.reply)
    for socket in case.sockets:
        first = next(iter(socket.views), None)
        if first and socket.entered:
            asked = socket.opened.t if socket.entered.asked is None else socket.entered.asked
            yield _of_view(first, asked)


def _of_op(op: Op, t1: float, reply: dict[str, Any]) -> Iterator[Look]:
    counts = reply.get("playerCounts") or reply.get("counts")
    if counts:
        roles = {name.removesuffix("s"): number for name, number in counts.items()}
        yield Look(op.t0, t1, f"op {op.id} ({op.op})", roles, None, reply.get("phase"))


def _of_view(frame: Frame, asked: float) -> Look:
    people = [one for one in frame.payload["players"] if one["role"] != "bot"]
    players = frozenset(one["playerId"] for one in people)
    phase = (frame.payload.get("match") or {}).get("phase")
    return Look(asked, frame.t, f"the first view of {frame.conn}", {}, players, phase)


def _fits(look: Look, state: State | None) -> bool:
    if state is None:
        return False
    if look.phase is not None and look.phase != state.phase and not state.vague:
        return False
    if look.players is not None and not _are(look.players, state):
        return False
    return all(
        state.count(role, sure=True) <= number <= state.count(role, sure=False)
        for role, number in look.counts.items()
    )


def _are(players: frozenset[str], state: State) -> bool:
    people = [one for one in state.members.values() if one.role != "bot"]
    surely = {one.player_id for one in people if one.sure}
    return surely <= players <= {one.player_id for one in people}
