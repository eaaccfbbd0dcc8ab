"""A process's runtime is started once, whoever asks first and whatever becomes of them."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.engine.memory_store import MemoryStore
from realtime.engine.store import Reading, StorageUnavailable
from realtime.runtime import Process, Runtime
from tests.support.engine import settled


class ClaimedStore(MemoryStore):
    """Its place can be claimed once; and once claimed, it takes until `open` is set to start."""

    claims = 0
    down = False

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def start(self) -> None:
        if self.down:
            raise StorageUnavailable("no connection")
        if self.claims:
            raise StorageUnavailable("another process has claimed it")
        self.claims += 1
        await self.open.wait()


@pytest.fixture
def story(settings):
    """Runs a coroutine function with a process that is not started yet, and its store."""

    def tell(coroutine):
        async def main():
            store = ClaimedStore()
            process = Process(lambda environment: store)
            await coroutine(process, store)
            await (await process.runtime()).close()

        asyncio.run(main())

    return tell


def test_all_who_ask_at_a_time_get_the_same_runtime(story):
    async def crowded(process, store):
        asking = [asyncio.create_task(process.runtime()) for _ in range(3)]
        await settled()
        store.open.set()
        first, *others = await asyncio.gather(*asking)
        assert [one is first for one in others] == [True, True]
        assert await process.runtime() is first
        assert store.claims == 1

    story(crowded)


def test_a_caller_that_goes_away_after_the_claim_stops_nothing(story):
    async def left(process, store):
        leaving = asyncio.create_task(process.runtime())
        await settled()
        assert store.claims == 1
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        store.open.set()
        assert (await process.runtime()).store is store
        assert store.claims == 1

    story(left)


def test_a_failed_start_is_tried_again_by_the_next_caller(story):
    async def recovered(process, store):
        store.open.set()
        store.down = True
        asking = [asyncio.create_task(process.runtime()) for _ in range(3)]
        told = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(problem) for problem in told] == ["no connection"] * 3
        store.down = False
        assert (await process.runtime()).store is store

    story(recovered)


def test_a_start_that_fails_when_its_caller_is_gone_is_tried_again_too(story):
    async def recovered(process, store):
        store.down = True
        leaving = asyncio.create_task(process.runtime())
        await asyncio.sleep(0)
        leaving.cancel()
        await settled()
        assert leaving.cancelled()
        store.down = False
        store.open.set()
        assert (await process.runtime()).store is store

    story(recovered)


class Timeless(MemoryStore):
    """Its clock can't be read."""

    async def now(self) -> Reading | None:
        raise StorageUnavailable("no answer")


def test_a_start_that_fails_leaves_no_thread(settings):
    before = {*threading.enumerate()}
    with pytest.raises(StorageUnavailable):
        asyncio.run(Runtime(settings.GREENROOM, Timeless()).start())
    assert {*threading.enumerate()} <= before
