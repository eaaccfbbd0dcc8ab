"""An actor that ends, or has nothing to do, leaves nobody waiting and nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from contracts.errors import Code, RoomError
from realtime.core.rows import RoomKey
from realtime.engine.memory_store import MemoryStore
from tests.support.engine import KEY, register, settled
from tests.support.faulty_store import (
    DownStore,
    PausedStore,
)
from tests.support.timers import bench_on
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


@pytest.fixture
def store():
    return MemoryStore()


async def test_a_drain_that_runs_out_of_time_leaves_nobody_waiting(store):
    store = PausedStore()
    bench = bench_on(store)
    asking = [asyncio.ensure_future(bench.create(key=KEY)) for _ in range(3)]
    await settled()
    asking.append(asyncio.ensure_future(bench.ask(register("bob"))))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await bench.rooms.close()
    for one in asking:
        with pytest.raises(RoomError) as told:
            await one
        assert told.value.code is Code.REALTIME_UNAVAILABLE
    await settled()
    assert [task for task in asyncio.all_tasks() if "Actor" in repr(task)] == []


async def test_an_outage_leaves_no_actors_of_rooms_that_nobody_is_in():
    store = DownStore()
    bench = bench_on(store)
    store.down = True
    for number in range(20):
        with pytest.raises(RoomError):
            await bench.rooms.look(RoomKey("timers", f"ROOM{number}"))
    await settled()
    assert bench.rooms.count() == 0
