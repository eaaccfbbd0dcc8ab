"""A batch becomes true or not at all, and no alarm makes its room unusable."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from contracts import jsonio
from contracts.errors import Code
from realtime.core.commands import Inspect, Receive
from realtime.engine.memory_store import MemoryStore
from tests.support.engine import register, settled, until
from tests.support.faulty_store import (
    AlarmRejectingStore,
    OvertakenStore,
    RejectingAlarmStore,
    SharedStore,
    UnwritableAlarmStore,
    UnwritableStore,
)
from tests.support.timers import TIMERS, bench_on, plan, rang
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


@pytest.fixture
def store():
    return MemoryStore()


async def test_two_processes_ring_it_once():
    """Both believe that it is due; the version tells the second that it is not."""
    store = SharedStore()
    benches = [bench_on(store) for _ in range(2)]
    await benches[0].create(key=TIMERS)
    await plan(benches[0], 30)
    await benches[1].rooms.ask(TIMERS, Inspect())
    for bench in benches:
        bench.now += 30
        bench.rooms.wake(TIMERS)
    await settled()
    bases = [one.base for one in store.commits]
    assert bases[-1] == bases[-2], "both tried"
    assert rang(store) == 1


async def test_processes_that_take_turns_read_the_room_again_and_do_not_hold_it():
    store = SharedStore()
    benches = [bench_on(store) for _ in range(2)]
    await benches[0].create(key=TIMERS)
    for number in range(6):
        await benches[number % 2].ask(register(f"player {number}"), TIMERS)
    assert store.snapshots[TIMERS].version == 7
    assert store.holds == 0


async def test_who_loses_on_what_it_has_just_read_holds_the_room():
    store = OvertakenStore()
    await bench_on(store).create(key=TIMERS)
    bench = bench_on(store)
    store.overtaking = True
    await bench.ask(register("bob"), TIMERS)
    assert store.holds == 1
    await bench.ask(register("carol"), TIMERS)
    assert store.holds == 2, "and goes on holding it for a while"


async def test_an_alarm_that_storage_rejects_does_not_make_its_room_unusable(caplog):
    store = AlarmRejectingStore()
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 1)
    bench.now += 1
    with caplog.at_level(logging.ERROR):
        await plan(bench, 100, TIMERS)
    assert "Rejected" in caplog.text
    assert rang(store) == 0


async def test_whatever_an_alarm_cannot_store_its_room_goes_on(caplog):
    """Not a constraint: what was to be stored cannot be written down at all."""
    store = UnwritableAlarmStore()
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 1)
    bench.now += 1
    with caplog.at_level(logging.ERROR):
        await plan(bench, 100)
    assert "OverflowError" in caplog.text
    assert rang(store) == 0


async def test_a_bug_of_a_batch_is_reported_once(store, caplog):
    store = UnwritableStore()
    bench = bench_on(store)
    with caplog.at_level(logging.ERROR):
        asked = [bench.ask(register(f"b{n}", host=n == 0)) for n in range(5)]
        answers: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    assert {one.code for one in answers} == {Code.INTERNAL_ERROR}
    assert len({one.message for one in answers}) == 1
    assert len(caplog.records) == 1


async def test_one_alarm_that_storage_rejects_takes_no_other_with_it(caplog):
    store = RejectingAlarmStore("bad")
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    for name in ("good", "bad", "fine"):
        payload = jsonio.raw({"name": name, "after_s": 1})
        await bench.rooms.ask(TIMERS, Receive("p_alice", "plan", payload))
    bench.now += 1
    bench.rooms.wake(TIMERS)
    await until(lambda: {b"good", b"fine"} <= store.rang, limit_s=1)
    for _ in range(60):  # the room's own alarms ring between the tries
        bench.now += 64
        bench.rooms.wake(TIMERS)
        await settled()
    assert store.rows[TIMERS].alarms_parked == 1
    assert b"bad" not in store.rang


async def test_time_never_goes_back_within_a_room():
    """A process takes over whose clock is a little behind; and then the first one comes back."""
    store = SharedStore()
    ahead, behind = (bench_on(store) for _ in range(2))
    ahead.now += 0.5
    await ahead.create(key=TIMERS)
    for number, bench in enumerate([behind, behind, ahead, behind]):
        await bench.ask(register(f"player {number}"), TIMERS)
        bench.now += 0.1
    times = [row.at for row in store.journals[TIMERS]]
    assert times == [ahead.now - 0.1] * 5


async def test_time_goes_on_as_soon_as_the_clock_has_passed_it():
    store = SharedStore()
    ahead, behind = (bench_on(store) for _ in range(2))
    ahead.now += 0.5
    await ahead.create(key=TIMERS)
    await behind.ask(register("bob"), TIMERS)
    behind.now += 0.75
    await behind.ask(register("carl"), TIMERS)
    assert [row.at - ahead.now for row in store.journals[TIMERS]] == [0, 0, 0.25]


async def test_where_one_process_is_alone_rooms_follow_its_host_back(store):
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    bench.now -= 3600
    await bench.ask(register("bob"), TIMERS)
    assert [row.at - bench.now for row in store.journals[TIMERS]] == [3600, 0]
