"""Who lives, by storage's word; and who may be taken for dead."""

from __future__ import annotations

import asyncio

import pytest

from realtime.core.presence import Sight
from realtime.engine.memory_store import MemoryStore
from realtime.engine.peers import Peers
from realtime.engine.store import StorageUnavailable
from tests.support.processes import CommonStore

pytestmark = pytest.mark.anyio

LIVES_S = 12


class Forgetful(CommonStore):
    """Storage that does not answer heartbeats while `down`."""

    down = False

    async def beat(self, process: str) -> frozenset[str]:
        if self.down:
            raise StorageUnavailable("no connection")
        return await super().beat(process)


class Life:
    """One process's heartbeats, on a clock of its own."""

    def __init__(self, store, name: str = "here") -> None:
        self.now = 1000.0
        self.peers = Peers(name, store, lives_s=LIVES_S, clock=lambda: self.now)

    async def goes_on(self, seconds: float) -> None:
        """Heartbeats, as often as they should be."""
        for _ in range(round(seconds / self.peers.interval_s)):
            self.now += self.peers.interval_s
            await self.peers.beat()

    def keeps(self, *processes: str) -> set[str]:
        """Whose entries in a room's state a turn leaves there."""
        known = {one: ["p_somebody"] for one in processes}
        return set(self.peers.sight(frozenset()).correct(known))


@pytest.fixture
def store():
    made = Forgetful()
    made.living = {"there"}
    return made


async def test_four_heartbeats_make_a_life(store):
    assert Life(store).peers.interval_s == LIVES_S / 4


async def test_at_first_nobody_is_taken_for_dead(store):
    life = Life(store)
    assert life.keeps("there", "ghost") == {"there", "ghost"}
    assert life.peers.living is None
    await life.peers.beat()
    assert life.peers.living is None
    await life.goes_on(LIVES_S - 3)
    assert life.keeps("there", "ghost") == {"there", "ghost"}


async def test_who_is_not_named_for_long_enough_is_dead(store):
    life = Life(store)
    await life.peers.beat()
    await life.goes_on(LIVES_S)
    life.keeps("ghost")
    await life.peers.beat()
    assert life.keeps("there", "ghost") == {"there"}
    store.living.discard("there")
    assert life.keeps("there") == {"there"}
    await life.goes_on(3)
    assert life.keeps("there") == set()


async def test_who_was_never_met_lives_until_storage_was_asked(store):
    life = Life(store)
    await life.peers.beat()
    await life.goes_on(LIVES_S)
    store.living.add("new")
    assert life.keeps("new", "ghost") == {"new", "ghost"}
    await life.goes_on(3)
    assert life.keeps("new", "ghost") == {"new"}


async def test_who_is_met_while_storage_is_asked_lives_on(store):
    """Storage may have answered before it began."""
    life = Life(store)
    await life.peers.beat()
    await life.goes_on(LIVES_S)
    beating = asyncio.ensure_future(_slowly(life, store))
    await asyncio.sleep(0)
    assert life.keeps("new") == {"new"}
    await beating
    assert life.keeps("new") == {"new"}


async def _slowly(life: Life, store) -> None:
    answer = store.beat

    async def later(process: str) -> frozenset[str]:
        named = await answer(process)
        await asyncio.sleep(0.01)
        return named

    store.beat = later
    await life.peers.beat()


async def test_who_comes_back_lives(store):
    life = Life(store)
    await life.peers.beat()
    await life.goes_on(LIVES_S)
    store.living.discard("there")
    await life.goes_on(3)
    store.living.add("there")
    await life.goes_on(3)
    assert life.keeps("there") == {"there"}


async def test_after_an_outage_all_get_the_time_to_say_that_they_live(store):
    life = Life(store)
    await life.peers.beat()
    await life.goes_on(LIVES_S)
    store.down = True
    life.now += 60
    with pytest.raises(StorageUnavailable):
        await life.peers.beat()
    assert life.keeps("there") == {"there"}
    store.down = False
    store.living.clear()  # everybody's last word has expired
    await life.peers.beat()
    assert life.peers.living is None
    assert life.keeps("there") == {"there"}
    await life.goes_on(LIVES_S)
    assert life.keeps("there") == set()


async def test_the_last_word(store):
    here, there = Life(store), Life(store, "there")
    await here.peers.beat()
    await here.goes_on(LIVES_S)
    await there.peers.depart()
    await here.goes_on(3)
    assert here.keeps("there") == set()


async def test_alone_there_is_nobody_to_wait_for():
    life = Life(MemoryStore())
    assert life.keeps("ghost") == set()
    assert life.peers.sight(frozenset({"p_alice"})) == Sight(
        "here", frozenset({"p_alice"}), life.peers
    )
