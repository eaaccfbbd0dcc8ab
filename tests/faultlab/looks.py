"""What else a fault's row promises, seen in the history of a part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from tests.faultlab.cluster import SETTINGS
from tests.faultlab.history import History

Record: TypeAlias = dict[str, Any]
RETRIED = 2  # times the lobby asks: a caller may wait for both
LOBBY_S = 0.7  # what the lobby, and a machine at work, add
COMMIT_S = float(SETTINGS["COMMIT_DEADLINE_S"])


class Seen:
    """One history, and the moments when something was broken."""

    def __init__(self, file: Path, slowness: float = 1.0) -> None:
        self.slowness = slowness
        with file.open(encoding="utf-8") as lines:
            self.records = [json.loads(line) for line in lines]
        self.faults = [one for one in self.of("fault") if one["name"] != "a client goes"]

    def of(self, kind: str) -> list[Record]:
        return [one for one in self.records if one["kind"] == kind]

    def during(self, records: list[Record]) -> Iterator[Record]:
        """Those that began while something was broken."""
        for one in records:
            began = one.get("t", one.get("t0"))
            if any(fault["t0"] < began < fault["t1"] for fault in self.faults):
                yield one


Look: TypeAlias = Callable[[Seen], str]  # what is wrong, or nothing


def sockets_stay(seen: Seen) -> str:
    """No socket that had entered is closed by the service."""
    entered = {one["conn"] for one in seen.of("entered")}
    gone_by_rule = (None, 1000, 4010)  # hung up, left, kicked
    closed = [
        one
        for one in seen.during(seen.of("closed"))
        if one["conn"] in entered and one["code"] not in gone_by_rule
    ]
    return f"sockets were closed: {closed[:3]}" if closed else ""


def nobody_waits_long(seen: Seen) -> str:
    """Whoever is refused for storage is told within its deadline: of the lobby, after two tries."""
    slow = [
        one
        for one in seen.during(seen.of("op"))
        if one.get("code") == "STORAGE_UNAVAILABLE"
        and one["t1"] - one["t0"] > _limit_s(one) * seen.slowness
    ]
    return f"waited too long: {slow[:3]}" if slow else ""


def _limit_s(op: Record) -> float:
    by_lobby = op["op"] in ("create", "join")
    return COMMIT_S * (RETRIED if by_lobby else 1) + LOBBY_S


def writes_are_refused_and_reads_go_on(seen: Seen) -> str:
    """Some of the one, some of the other."""
    operations = [*seen.during(seen.of("op"))]
    refused = [one for one in operations if one.get("code") == "STORAGE_UNAVAILABLE"]
    read = [one for one in operations if one["op"] == "state" and one["outcome"] == "ok"]
    return "" if refused and read else f"{len(refused)} refused, {len(read)} reads"


# -- what has to be seen before a fault is repaired -------------------------------------------


def refused_and_read(history: History, since: float) -> bool:
    """A write was refused, and a room's state was read."""
    return _refused(history, since) and _any(history, since, op="state", outcome="ok")


def refused_and_signalled(history: History, since: float) -> bool:
    """A write was refused, and a volatile message was heard."""
    return _refused(history, since) and any(t > since for t in history.signals)


def granted(history: History, since: float) -> bool:
    """Something was acknowledged."""
    return _any(history, since, outcome="ok")


def _refused(history: History, since: float) -> bool:
    return _any(history, since, code="STORAGE_UNAVAILABLE")


def _any(history: History, since: float, op: str = "", outcome: str = "", code: str = "") -> bool:
    return any(
        t0 > since and op in ("", one) and outcome in ("", ended) and code in ("", told)
        for t0, one, ended, told in history.ended
    )


# -- what goes on meanwhile -------------------------------------------------------------------


def volatile_goes_on(seen: Seen) -> str:
    """What nobody keeps needs no storage."""
    signals = [one for one in seen.during(seen.of("frame")) if one["type"] == "chat.signalled"]
    return "" if signals else "no signal arrived"


def lost_histories_are_left(seen: Seen) -> str:
    """Some sockets are told to come back, and come back."""
    codes = [one["code"] for one in seen.during(seen.of("closed"))]
    return "" if 1012 in codes else f"no socket was closed with 1012: {codes}"


def work_goes_on(seen: Seen) -> str:
    """Something was acknowledged meanwhile, and no 5xx was answered."""
    operations = [*seen.during(seen.of("op"))]
    granted = [one for one in operations if one["outcome"] == "ok"]
    refused = [one for one in operations if (one.get("status") or 0) >= 500]
    return "" if granted and not refused else f"{len(granted)} granted, {refused[:3]}"
