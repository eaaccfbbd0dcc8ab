"""I17, I18, I19: nothing is left behind, no secret is told, nothing breaks without a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tests.faultlab.checker.history import History
from tests.faultlab.checker.records import Baseline, Closed, Fault, Log, Op

TOKEN = r"pt_[\w-]{16,}"
SHOWN = 4  # of a secret's letters, so that a report is no leak either
ANSWER_WITHIN_S = 15.0  # a caller who was never answered waited no longer than this
SILENT = ("kick", "leave")  # granted, they are not answered
OUR_TROUBLE = (1011, 1013)  # close codes


def nothing_is_left(history: History) -> Iterator[str]:
    """I17: everything a process held is back at its baseline."""
    for one in history.all(Baseline):
        if one.after > one.before + one.slack:
            yield f"{one.process} has {one.after} {one.what}, and had {one.before}"


def no_secret_is_told(history: History, secrets: Sequence[str] = ()) -> Iterator[str]:
    """I18: in no line of the history is anything that looks like one of them."""
    pattern = re.compile("|".join(f"(?:{secret})" for secret in (TOKEN, *secrets)))
    for number, line in enumerate(history.lines, 1):
        if found := pattern.search(line):
            yield f"line {number} holds {found[0][:SHOWN]}… ({len(found[0])} characters)"


def trouble_has_a_reason(history: History) -> Iterator[str]:
    """I19: a fault explains every 5xx, every close for trouble, every unknown outcome."""
    for op in history.ops:
        t1 = op.t0 + ANSWER_WITHIN_S if op.t1 is None else op.t1
        if _is_trouble(history, op) and not history.explained(op.t0, t1):
            yield f"op {op.id} ({op.op}) ended {op.outcome}, {op.status} {op.code}"
    for closed in history.all(Closed):
        if closed.code in OUR_TROUBLE and not history.explained(closed.t, closed.t):
            yield f"{closed.conn} was closed with {closed.code}"
    yield from _unhandled(history)


def _is_trouble(history: History, op: Op) -> bool:
    """Whether somebody should have been answered, or better."""
    if op.outcome != "unknown":
        return op.status is not None and op.status >= 500
    if op.op in SILENT and op.code is None:
        return False
    over_http = op.player is None
    return over_http or op.code is not None or not _went_away(history, op)


def _went_away(history: History, op: Op) -> bool:
    """Whether a socket of who asked closed, or the run ended, before an answer had to come."""
    until = op.t0 + ANSWER_WITHIN_S
    sockets = (one for one in history.sockets.values() if one.entered)
    closed = (one.ends_at for one in sockets if one.entered and one.entered.player == op.player)
    return history.ends_at <= until or any(op.t0 <= t <= until for t in closed)


def _unhandled(history: History) -> Iterator[str]:
    """An exception that nobody handled is a bug even while something is broken."""
    planted = [fault for fault in history.all(Fault) if "traceback" in fault.explains]
    for log in history.all(Log):
        if "Traceback (most recent call last)" in log.line and not planted:
            yield f"{log.process} logged an unhandled exception: {log.line[:200]}"
