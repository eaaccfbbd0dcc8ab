"""I14: a token opens exactly its player in its room, and a released one opens nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tests.faultlab.checker.case import Case
from tests.faultlab.checker.records import Token, Try
from tests.faultlab.checker.state import State


def tokens_open_their_own(case: Case) -> Iterator[str]:
    """Every try in this room against what its token is."""
    known = {token.label: token for token in case.history.all(Token)}
    for one in case.history.all(Try):
        sure = one.outcome != "unknown" and not case.history.lost(one.t0, one.t1)
        if (one.party, one.room) == case.room.key and sure:
            token = known.get(one.label)
            yield from (
                _opened(case, one, token) if one.outcome == "opened" else _refused(case, one, token)
            )


def _opened(case: Case, one: Try, token: Token | None) -> Iterator[str]:
    if token is None:
        yield f"the forged token {one.label} opened the room"
    elif token.room != one.room:
        yield f"{one.label} is of room {token.room}, and opened {one.room}"
    elif one.player is not None and token.player != one.player:
        yield f"{one.label} is {token.player}'s, and opened as {one.player}"
    elif case.replayed and not any(_may_open(state, token) for state in _states(case, one)):
        yield f"{one.label} opened the room when {token.player} was no member of it"


def _refused(case: Case, one: Try, token: Token | None) -> Iterator[str]:
    if token is None or token.room != one.room or not case.replayed:
        return
    if all(_must_open(state, token) for state in _states(case, one)):
        yield f"{one.label} was refused, and {token.player} was a member all the time"


def _states(case: Case, one: Try) -> list[State | None]:
    until = math.inf if one.t1 is None else one.t1
    return [case.replay.at(version) for version in case.visibility.between(one.t0, until)]


def _may_open(state: State | None, token: Token) -> bool:
    member = state.members.get(token.player) if state else None
    return state is not None and member is not None and not member.retired


def _must_open(state: State | None, token: Token) -> bool:
    member = state.members.get(token.player) if state else None
    if state is None or member is None or state.closed is not False:
        return False
    return member.holds_token and not state.vague
