"""A party of alarms, and an engine to let them ring on."""

from __future__ import annotations

from typing import Any

from contracts import jsonio
from realtime.core.commands import Receive
from realtime.core.rows import RoomKey
from tests.realtime.core.test_alarms import Timers
from tests.support.engine import Bench

TIMERS = RoomKey("timers", "K7PQ2M")


def bench_on(store: Any, **limits: Any) -> Bench:
    return Bench(store, (Timers(),), **limits)


async def plan(bench: Bench, after_s: float, key: RoomKey = TIMERS) -> None:
    """alice sets an alarm."""
    payload = jsonio.raw({"name": "tea", "after_s": after_s})
    await bench.rooms.ask(key, Receive("p_alice", "plan", payload))


def rang(store: Any, key: RoomKey = TIMERS) -> int:
    """How often it took effect."""
    return sum(
        b'"name":"tea"' in row.entry for row in store.journals[key] if row.command == "alarm"
    )
