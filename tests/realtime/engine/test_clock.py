"""The clock: alarms ring on time, after a restart too."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from realtime.core.rows import RoomKey
from realtime.engine import clock as clocks
from realtime.engine.memory_store import MemoryStore
from realtime.engine.store import StorageUnavailable
from tests.support.engine import KEY, settled, until
from tests.support.faulty_store import (
    CountingStore,
    DownStore,
    UnprunableStore,
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


async def test_a_room_in_memory_rings_on_time_by_itself(store):
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 0.05)
    bench.now += 0.05
    await until(lambda: rang(store) == 1, limit_s=1)


async def test_a_timer_that_fires_before_the_clock_says_so_waits_again(store):
    """The wall clock was set back: what counts is what it says."""
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 0.02)
    bench.now -= 0.05
    await asyncio.sleep(0.04)  # the timer has fired
    assert rang(store) == 0
    bench.now += 0.07
    await until(lambda: rang(store) == 1, limit_s=1)


async def test_the_clock_finds_what_came_due_while_nothing_ran(store):
    before = bench_on(store)
    await before.create(key=TIMERS)
    await plan(before, 30)
    await before.rooms.close()
    after = bench_on(store)
    await after.clock.tick()
    await settled()
    assert rang(store) == 0
    after.now += 1000
    await after.clock.tick()
    await settled()
    assert rang(store) == 1
    await after.clock.tick()
    await settled()
    assert rang(store) == 1


async def test_the_running_clock_looks_at_once_and_again(store):
    bench = bench_on(store, clock_interval_s=0.02)
    await bench.create(key=TIMERS)
    await plan(bench, 30)
    await bench.rooms.close()
    bench = bench_on(store, clock_interval_s=0.02)
    bench.now += 31
    bench.clock.start()
    await until(lambda: rang(store) == 1, limit_s=1)
    await bench.clock.close()


async def test_an_outage_of_storage_delays_an_alarm_and_loses_none():
    store = DownStore()
    bench = bench_on(store, clock_interval_s=0.02)
    await bench.create(key=TIMERS)
    await plan(bench, 30)
    store.down = True
    bench.now += 31
    bench.clock.start()
    bench.rooms.wake(TIMERS)
    await until(lambda: store.refused > 2, limit_s=1)
    store.down = False
    await until(lambda: rang(store) == 1, limit_s=2)
    await bench.clock.close()


async def test_a_room_that_cannot_be_read_is_tried_ever_more_seldom():
    store = CountingStore()
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 1)
    await bench.rooms.close()
    snapshot = store.snapshots[TIMERS]
    store.snapshots[TIMERS] = type(snapshot)(snapshot.uuid, snapshot.version, b"{}")
    bench = bench_on(store)
    bench.now += 10
    tries = []
    for second in range(20):
        before = store.loads
        await bench.clock.tick()
        await settled()
        if store.loads > before:
            tries.append(second)
        bench.now += 1
    assert tries == [0, 1, 3, 7, 15]


async def test_expired_rooms_are_pruned_now_and_then(store):
    bench = bench_on(store)
    await bench.create()
    bench.now += 60 + 3600 + 60  # nobody came: seats, then the room
    for _ in range(4):
        await bench.clock.tick()
        await settled()
        bench.now += 3600
    assert store.rows[KEY].status == "closed"
    bench.now += 24 * 3600
    await bench.clock.tick()
    assert KEY not in store.rows
    assert await bench.create()


async def test_a_prune_that_fails_holds_up_no_alarm():
    store = UnprunableStore()
    before = bench_on(store)
    await before.create(key=TIMERS)
    await plan(before, 30)
    await before.rooms.close()
    bench = bench_on(store)
    bench.now += 31
    for tries in (1, 1, 2):
        with contextlib.suppress(StorageUnavailable):
            await bench.clock.tick()
        await settled()
        assert store.refused == tries
        assert rang(store) == 1
        bench.now += 59 if tries == 1 else 0


async def test_of_many_that_are_due_the_longest_overdue_come_first(store, monkeypatch):
    monkeypatch.setattr(clocks, "ROOMS_MAX", 3)
    before = bench_on(store)
    keys = [RoomKey("timers", f"ROOM{number}") for number in range(7)]
    for key in keys:
        await before.create(key=key)
        await plan(before, 1, key)
        before.now += 0.01
    await before.rooms.close()
    bench = bench_on(store)
    bench.now += 10
    for woken in (3, 7):  # those of the first look are not due any more, so that more are seen
        await bench.clock.tick()
        await settled()
        assert [rang(store, key) for key in keys] == [1] * woken + [0] * (7 - woken)
