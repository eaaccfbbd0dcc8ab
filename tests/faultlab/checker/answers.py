"""I9 and I10: equal requests are one request, and a refused one changes nothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator

from tests.faultlab.checker.case import Case, repeated
from tests.faultlab.checker.history import History
from tests.faultlab.checker.matching import ADMITS
from tests.faultlab.checker.names import name_key
from tests.faultlab.checker.records import Op
from tests.faultlab.checker.replay import Admission
from tests.faultlab.checker.stored import Journal

FIRST = ("playerId", "roomId", "role", "isHost", "token")  # what a repeat is told as at first


def equal_answers(history: History) -> Iterator[str]:
    """I9: one idempotency key, one answer; one playerId of a create, one room."""
    by_key: defaultdict[str, list[Op]] = defaultdict(list)
    for op in history.ops:
        if op.op in ADMITS and op.outcome == "ok" and "key" in op.args:
            by_key[op.args["key"]].append(op)
    founded: defaultdict[str, set[Hashable]] = defaultdict(set)
    for entry in history.all(Journal):
        if entry.version == 1 and entry.command == "register":
            founded[entry.entry["command"]["player_id"]].add((entry.party, entry.room))
    for key, ops in by_key.items():
        answers = {tuple((op.reply or {}).get(name) for name in FIRST) for op in ops}
        if len(answers) > 1:
            yield f"the key {key} was answered in {len(answers)} ways, e.g. by op {ops[0].id}"
        rooms = {room for op in ops for room in founded[str(op.player_id)] if op.op == "create"}
        if len(rooms) > 1:
            yield f"the key {key} made {len(rooms)} rooms"


def one_player_each(case: Case) -> Iterator[str]:
    """I9: nobody is there twice, and nothing happens more often than it was asked."""
    for player_id in repeated(seat.player_id for seat in case.room.seats):
        yield f"{player_id} has two seats"
    for view in case.views:
        for player_id in repeated(player["playerId"] for player in view["players"]):
            yield f"a view has {player_id} twice"
    for admission in case.replay.admissions:
        before = case.replay.at(admission.version - 1)
        known = before.members.get(admission.player_id) if before else None
        if known and known.sure and known.username != admission.username:
            yield f"version {admission.version} admits {admission.player_id} under two names"


def nothing_more_than_asked(case: Case) -> Iterator[str]:
    """I9: no operation has two effects."""
    for what, versions in case.matching.kept.items():
        asked = case.matching.asked[what]
        surely_not = any(op.outcome == "err" for op in asked)  # then it is a matter of I10
        if what[0] != "chat" and 0 < len(asked) < len(versions) and not surely_not:
            yield f"{what} was asked {len(asked)} times and kept at the versions {versions}"


def nobody_is_doubled(case: Case) -> Iterator[str]:
    """I9: a request whose answer was lost has admitted one player at most."""
    matching = case.matching
    requests: defaultdict[str, set[Hashable]] = defaultdict(set)
    for op in matching.admitting:
        if op.outcome == "unknown" and op.player_id is None:
            requests[name_key(op.args["username"])].add(op.args.get("key") or op.id)
    named = {op.player_id for op in matching.admitting}
    admitted: defaultdict[str, set[str]] = defaultdict(set)
    for one in matching.admissions:
        if one.player_id not in named:
            admitted[name_key(one.username)].add(one.player_id)
    for key, players in admitted.items():
        if len(players) > len(requests[key]) > 0:
            yield f"{len(requests[key])} requests of {key!r} admitted {len(players)} players"


def refused_changes_nothing(case: Case) -> Iterator[str]:
    """I10."""
    for admission in case.matching.admissions:
        asking = case.matching.asking(admission)
        refused = [op for op in asking if op.outcome == "err"] or _by_name(case, admission)
        granted = [op for op in asking if op.may_have_happened]
        if refused and not granted and not _let_go(case, admission, refused[-1]):
            yield f"op {refused[0].id} ({refused[0].op}) was refused, and admitted its player"
    for what, versions in case.matching.kept.items():
        refused = [op for op in case.matching.asked[what] if op.outcome == "err"]
        possible = len(case.matching.asked[what]) - len(refused)
        if refused and len(versions) > possible:
            yield f"op {refused[0].id} {what} was refused, and is in the journal"


def _let_go(case: Case, admission: Admission, op: Op) -> bool:
    """Whether the player may have been released before the answer: the caller asks twice itself,
    and the second time everything may be different."""
    t1 = math.inf if op.t1 is None else op.t1
    releases = case.replay.releases.get(admission.player_id, [])
    return any(case.visibility.not_before(version) <= t1 for version in releases)


def _by_name(case: Case, admission: Admission) -> list[Op]:
    """Refused attempts under this name, where nobody is known to have been granted it."""
    return [
        op
        for op in case.matching.admitting
        if op.outcome == "err" and name_key(op.args["username"]) == name_key(admission.username)
    ]
