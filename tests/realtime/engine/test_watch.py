"""Beside the rooms: heartbeats, and versions that are compared with storage's."""

from __future__ import annotations

import asyncio

import pytest

from realtime.core.rows import RoomKey
from realtime.engine import watch as watches
from realtime.engine.feed import GAP_S
from realtime.engine.store import StorageUnavailable
from tests.support.engine import until
from tests.support.processes import ROOM, CommonStore, Exchange, ExchangeBus, Process, quiet
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

VERSIONS_S = 10.0


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


class WatchedStore(CommonStore):
    """Counts what is asked of it, and answers nothing while `down` or `hanging`."""

    def __init__(self) -> None:
        super().__init__()
        self.beats: list[float] = []
        self.asked: list[set[RoomKey]] = []
        self.down = self.hanging = False

    async def beat(self, process):
        await self._answers()
        self.beats.append(asyncio.get_running_loop().time())
        return await super().beat(process)

    async def versions(self, keys):
        self.asked.append(set(keys))
        await self._answers()
        return await super().versions(keys)

    async def _answers(self) -> None:
        if self.hanging:
            await asyncio.sleep(3600)
        if self.down:
            raise StorageUnavailable("no connection")


@pytest.fixture
def store():
    return WatchedStore()


@pytest.fixture
def exchange():
    return Exchange()


@pytest.fixture
async def process(store, exchange):
    made = Process(store, exchange, "here", VERSIONS_S)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def alice(process):
    await process.admit("alice", host=True)
    return await process.socket("alice")


async def elsewhere(store, kind: str = "ADD") -> None:
    """A process without a bus changes the room."""
    other = Process(store, Exchange(), "there")
    socket = await other.socket("alice")
    socket.says(kind)
    await quiet(0.01)


async def test_a_process_lives_before_it_serves(store, process):
    assert store.beats
    assert store.living == {"here"}


async def test_a_process_that_cannot_say_that_it_lives_leaves_nothing_behind(store, exchange):
    store.down = True
    process = Process(store, exchange, "unheard")
    before = asyncio.all_tasks()
    with pytest.raises(StorageUnavailable):
        await process.start()
    assert asyncio.all_tasks() == before
    assert isinstance(process.bus, ExchangeBus)
    process.bus.arrived(b"nobody listens")


async def test_hearts_beat(store, process):
    del store.beats[:]
    await quiet(10)
    assert store.beats == pytest.approx([3, 6, 9], abs=0.1)


async def test_hearts_go_on_after_an_outage(store, process):
    store.hanging = True
    await quiet(20)
    store.hanging, store.down = False, True
    await quiet(20)
    store.down = False
    del store.beats[:]
    await quiet(10)
    assert len(store.beats) >= 2


async def test_the_end_is_storages_to_know(store, exchange):
    process = Process(store, exchange, "short")
    await process.start()
    await process.close()
    assert store.living == set()


async def test_only_rooms_that_are_shown_are_compared(store, process, alice):
    await process.admit("bob")
    await process.ask(process.connects("bob"), ROOM)
    await quiet(VERSIONS_S + 1)
    assert store.asked == [{ROOM}]
    alice.goes()
    await quiet(2 * VERSIONS_S)
    assert store.asked == [{ROOM}]


async def test_a_version_that_nobody_announced_is_shown(store, process, alice):
    await elsewhere(store)
    assert alice.value == 0
    await until(lambda: alice.value == 1, limit_s=VERSIONS_S + 2 * GAP_S)


async def test_where_versions_are_equal_nothing_is_shown(store, process, alice):
    frames = len(alice.wire.frames)
    await quiet(3 * VERSIONS_S + 1)
    assert len(store.asked) == 3
    assert len(alice.wire.frames) == frames


async def test_versions_are_compared_at_once_when_the_bus_is_back(store, exchange, process, alice):
    exchange.cut()
    await elsewhere(store)
    exchange.mend()
    await quiet(GAP_S + 0.1)
    assert alice.value == 1


async def test_storage_that_fails_is_asked_again(store, process, alice):
    await elsewhere(store)
    store.down = True
    await quiet(2 * VERSIONS_S)
    store.down = False
    await quiet(VERSIONS_S + GAP_S + 0.1)
    assert alice.value == 1


async def test_many_rooms_are_asked_for_in_parts(store, process, alice, monkeypatch):
    monkeypatch.setattr(watches, "ROOMS_AT_ONCE", 2)
    keys = [RoomKey("tally", f"ROOM{number}") for number in range(4)]
    for key in keys:
        await process.create(key=key)
        await process.connect("alice", key)
    await quiet(VERSIONS_S + 1)
    assert [len(asked) for asked in store.asked] == [2, 2, 1]
    assert set.union(*store.asked) == {ROOM, *keys}
