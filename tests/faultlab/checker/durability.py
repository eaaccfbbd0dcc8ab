"""I1: what was acknowledged survives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tests.faultlab.checker.case import Case
from tests.faultlab.checker.matching import ADMITS
from tests.faultlab.checker.records import Op
from tests.faultlab.checker.replay import CHATS
from tests.faultlab.checker.state import State
from tests.faultlab.checker.stored import Row

CHAT_KEPT = 100
GOING = ("leave", "kick")  # acknowledged by their player's being away, whatever the cause


def acknowledged_is_kept(case: Case) -> Iterator[str]:
    """Every acknowledged operation has its entry, and every chat text only one."""
    if not case.replayed:
        return
    for op in case.room.ops:
        if op.op in ADMITS and op.outcome == "ok" and not case.matching.admitted(str(op.player_id)):
            yield f"op {op.id} ({op.op}) was acknowledged, and {op.player_id} was never admitted"
    for what, ops in case.matching.asked.items():
        granted = [op for op in ops if op.outcome == "ok"]
        kept = len(case.matching.kept[what])
        if kept < _separate(granted) and what[0] not in GOING:
            yield f"op {granted[-1].id} {what} was acknowledged and is not in the journal"
        elif what[0] == "chat" and kept > 1:
            yield f"{what} was kept {kept} times"


def gone_is_gone(case: Case) -> Iterator[str]:
    """An acknowledged leave or kick has released its player, unless something else has."""
    for op in case.room.ops if case.replayed else []:
        gone = op.args.get("playerId") if op.op == "kick" else op.player
        if op.op not in GOING or op.outcome != "ok" or gone in case.replay.releases:
            continue
        last = case.replay.at(case.replay.last)
        member = last.members.get(str(gone)) if last else None
        if last is None or (last.closed is False and member and member.holds_token):
            yield f"op {op.id} ({op.op}) was acknowledged, and {gone} is a member still"


def _separate(ops: list[Op]) -> int:
    """How many effects these need: two that overlap may have taken one effect for their own."""
    number, until = 0, -math.inf
    for op in sorted(ops, key=lambda one: math.inf if one.t1 is None else one.t1):
        if op.t0 > until:
            number, until = number + 1, math.inf if op.t1 is None else op.t1
    return number


def kept_is_there(case: Case) -> Iterator[str]:
    """What the journal has admitted, set and said is in the rows of these versions."""
    for row in case.room.rows if case.replayed else []:
        state = case.replay.states.get(row.version)
        if state is None:
            continue
        yield from (f"version {row.version}: {what}" for what in _missing(row, state))
    final = case.room.final
    if final and case.replayed and final.version == case.replay.last:
        yield from _chat(case, final)


def _missing(row: Row, state: State) -> Iterator[str]:
    players: dict[str, dict[str, Any]] = row.state["roster"]["players"]
    names = {player["username"] for player in players.values()}
    for member in state.members.values():
        there = member.username in names if member.role == "bot" else member.player_id in players
        if member.sure and not there:
            yield f"{member.player_id} ({member.username}) is gone, and nothing released it"
    settings = row.state.get("settings", {})
    for name, value in state.settings.items():
        if name in settings and settings[name] != value:
            yield f"{name} was set to {value!r} and is {settings[name]!r}"


def _chat(case: Case, row: Row) -> Iterator[str]:
    entries = [entry.entry.get("command", {}) for entry in case.room.journal]
    said = [one["payload"]["text"].strip() for one in entries if one.get("type") in CHATS]
    party = row.state["state"]
    lines = party.get("messages", party.get("talk", {}).get("chat", []))
    there = [line["text"] for line in lines if line.get("kind", "user") == "user"]
    expected = said[len(said) - len(there) :] if len(lines) >= CHAT_KEPT else said
    if there != expected:
        yield f"the last chat lines are {there[-3:]}, and were {expected[-3:]}"
