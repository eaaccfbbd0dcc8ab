"""I5: a refusal was true at some moment between asking and answering."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from tests.faultlab.checker.case import Case
from tests.faultlab.checker.names import name_key
from tests.faultlab.checker.records import Op
from tests.faultlab.checker.state import State

# Whether a refusal may have been true of a room as it was then; None: there was no room.
Truth: TypeAlias = Callable[[Case, Op, State | None], bool]


def refusals_were_true(case: Case) -> Iterator[str]:
    """I5 for every refusal that says something about the room."""
    for op in case.room.ops if case.replayed else []:
        truth = TRUTHS.get(op.code or "") if op.outcome == "err" else None
        if truth is None:
            continue
        versions = case.visibility.between(op.t0, op.t1)
        if not any(truth(case, op, case.replay.at(version)) for version in versions):
            yield (
                f"op {op.id} ({op.op}) was told {op.code}, which was true at no version "
                f"between {versions.start} and {versions.stop - 1}"
            )


def _not_found(case: Case, op: Op, state: State | None) -> bool:
    return state is None or state.closed is not False


def _exists(case: Case, op: Op, state: State | None) -> bool:
    return state is not None


def _taken(case: Case, op: Op, state: State | None) -> bool:
    return state is not None and any(state.holders(name_key(op.args["username"])))


def _full(case: Case, op: Op, state: State | None) -> bool:
    if state is None:
        return False
    role = op.args.get("role", "player")
    limit = state.cap if role == "player" else case.history.run.max_spectators
    return state.count(role, sure=False) >= limit


def _started(case: Case, op: Op, state: State | None) -> bool:
    return state is not None and state.may_have_started


def _no_player(case: Case, op: Op, state: State | None) -> bool:
    if state is None or op.op != "kick":
        return True
    target = state.members.get(op.args["playerId"])
    return target is None or not target.holds_token


TRUTHS: dict[str, Truth] = {
    "ROOM_NOT_FOUND": _not_found,
    "ROOM_ALREADY_EXISTS": _exists,
    "USERNAME_TAKEN": _taken,
    "ROOM_FULL": _full,
    "MATCH_ALREADY_STARTED": _started,
    "PLAYER_NOT_FOUND": _no_player,
}
