"""Which operations and which journal entries are the same thing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable
from typing import Any, TypeAlias

from tests.faultlab.checker.names import name_key
from tests.faultlab.checker.records import Op
from tests.faultlab.checker.replay import CHATS, Admission, Replay
from tests.faultlab.checker.stored import Journal
from tests.faultlab.checker.subjects import Room

Identity: TypeAlias = tuple[Hashable, ...]
ADMITS = ("create", "join")
_OPS = {
    "UPDATE_SETTINGS": "settings",
    "START_MATCH": "start",
    "RETURN_TO_LOBBY": "return",
    "KICK": "kick",
    "ADD_BOTS": "bots",
    "LEAVE_ROOM": "leave",
}


def identity(op: Op) -> Identity | None:
    """What an entry of this operation is recognised by; creates and joins go by player."""
    if op.op == "chat":
        return ("chat", op.args["text"])
    if op.op in _OPS.values():
        return (op.op, op.player, _detail(op.op, op.args))
    return None


def identity_of(entry: Journal) -> Identity | None:
    """The same, of an entry."""
    command = entry.entry.get("command", {})
    payload = command.get("payload") or {}
    kind = command.get("type")
    if kind in CHATS:
        return ("chat", payload.get("text", "").strip())
    if kind in _OPS:
        return (_OPS[kind], command["player_id"], _detail(_OPS[kind], payload))
    return None


def _detail(op: str, args: dict[str, Any]) -> str:
    fields = {"settings": "patch", "kick": "playerId", "bots": "count"}
    return json.dumps(args.get(fields[op]), sort_keys=True) if op in fields else ""


class Matching:
    """The operations of one room beside its entries."""

    def __init__(self, room: Room, replay: Replay, strays: list[Op]) -> None:
        self.asked: defaultdict[Identity, list[Op]] = defaultdict(list)
        self.kept: defaultdict[Identity, list[int]] = defaultdict(list)  # versions
        self.admitting = [op for op in room.ops if op.op in ADMITS] + strays
        self.admissions = replay.admissions
        for op in room.ops:
            if what := identity(op):
                self.asked[what].append(op)
        for entry in room.journal:
            if what := identity_of(entry):
                self.kept[what].append(entry.version)

    def admitted(self, player_id: str) -> list[Admission]:
        """The entries that admitted a player."""
        return [one for one in self.admissions if one.player_id == player_id]

    def asking(self, admission: Admission) -> list[Op]:
        """The operations that may have asked for this admission."""
        return [op for op in self.admitting if may_be(op, admission)]


def may_be(op: Op, admission: Admission) -> bool:
    """Whether this operation could have admitted that player."""
    if op.player_id is not None:
        return op.player_id == admission.player_id
    if op.args.get("role", "player") != admission.role:
        return False
    return name_key(op.args["username"]) == name_key(admission.username)
