"""An actor that ends, or has nothing to do, leaves nobody waiting and nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref

import pytest

from contracts.errors import Code, RoomError
from realtime.core.commands import EndRoom
from realtime.core.rows import RoomKey
from realtime.engine.memory_store import MemoryStore
from realtime.parties.leet99 import Leet99
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


@pytest.fixture
def uncollected():
    """Nothing is collected: what dies, dies of its last reference."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def remains_of(bench) -> list[weakref.ref]:
    """What this process holds of its rooms, as far as it can be watched."""
    actors = [*bench.rooms._actors.values()]
    parts = [(actor, actor.showing, actor._memory, actor._memory._turns) for actor in actors]
    return [weakref.ref(part) for one in parts for part in one if part is not None]


def alive(remains) -> set[str]:
    return {type(found).__name__ for one in remains if (found := one())}


async def test_a_room_that_is_let_go_leaves_no_garbage(store, uncollected):
    """Nobody came: its actor is idle, and the store has all it knows."""
    bench = bench_on(store, room_idle_s=0.001)
    for number in range(5):
        await bench.create(key=RoomKey("timers", f"ROOM{number}"))
    remains = remains_of(bench)
    assert alive(remains) == {"Actor", "Memory", "Showing", "Turns"}
    await let_go(bench)
    assert alive(remains) == set()


async def test_a_room_that_was_shown_leaves_no_garbage(store, uncollected):
    bench = bench_on(store, room_idle_s=0.001)
    await bench.create(key=KEY)
    alice, _ = await bench.connect("alice", KEY)
    bench.say(alice)
    await settled()
    bench.hub.drop(alice, by_client=True)
    await settled()
    remains = remains_of(bench)
    await let_go(bench)
    assert alive(remains) == set()


async def test_a_room_that_was_closed_leaves_no_garbage(store, uncollected):
    bench = bench_on(store)
    await bench.create(key=KEY)
    await bench.connect("alice", KEY)
    remains = remains_of(bench)
    await bench.ask(EndRoom(), KEY)
    await settled()
    assert bench.rooms.count() == 0
    await ended_deadlines(bench)
    assert alive(remains) == set()


async def test_a_room_that_nobody_found_leaves_no_garbage(store, uncollected):
    bench = bench_on(store)
    remains = []
    for number in range(5):
        asking = asyncio.ensure_future(bench.rooms.look(RoomKey("timers", f"ROOM{number}")))
        await asyncio.sleep(0)
        remains += remains_of(bench)
        with contextlib.suppress(RoomError):
            await asking
    del asking
    await settled()
    await ended_deadlines(bench)
    assert remains
    assert alive(remains) == set()


@pytest.mark.parametrize("told", ["refused", "failed"])
async def test_what_is_refused_holds_no_room(store, uncollected, told, monkeypatch):
    """A traceback's frames hold the state that the turn was run on."""
    bench = bench_on(store, room_idle_s=0.001)
    await bench.create(key=KEY)
    remains = remains_of(bench)
    wrong = register("bob", host=True)
    if told == "failed":
        monkeypatch.setattr(Leet99, "on_register", fails)
        wrong = register("bob")
    for _ in range(3):
        with contextlib.suppress(RoomError):
            await bench.ask(wrong, KEY)
        with contextlib.suppress(RoomError):
            await bench.ask(register("Alice"), KEY)
    await let_go(bench)
    assert alive(remains) == set()


def fails(*arguments):
    raise ZeroDivisionError


async def let_go(bench) -> None:
    """The next sweep comes when all rooms have been idle for long enough."""
    bench.now += 1
    bench.rooms._let_go()
    await settled()
    assert bench.rooms.count() == 0
    await ended_deadlines(bench)


async def ended_deadlines(bench) -> None:
    """Those whose block has ended are dropped with the next one."""
    bench.rooms._deadlines._drop_ended()
