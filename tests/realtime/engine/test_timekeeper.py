"""The time of rooms, on clocks that tests move: it follows the database's, and never goes back."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from realtime.engine.memory_store import MemoryStore
from realtime.engine.store import Reading, StorageUnavailable
from realtime.engine.timekeeper import WARN_EVERY_S, Timekeeper
from realtime.testing import START
from tests.support.virtual_time import VIRTUAL_TIME, told_at_once

pytestmark = pytest.mark.anyio

INTERVAL_S = 1.5


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


class ClockedStore(MemoryStore):
    """A database whose clock, host and network tests control. It answers in the middle of a round
    trip, or at `answers_at` of it."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0  # of the right time
        self.host_ahead_s = 0.0  # of the database's
        self.trip_s = 0.002
        self.answers_at = 0.5
        self.readings = 0
        self.down = False

    async def now(self) -> Reading:
        self.readings += 1
        if self.down:
            raise StorageUnavailable("no connection")
        began = ticks()
        await asyncio.sleep(self.trip_s * self.answers_at)
        said = START + ticks() + self.ahead_s
        await asyncio.sleep(self.trip_s * (1 - self.answers_at))
        offset_s = said - (began + ticks()) / 2
        return Reading(offset_s, ticks() - began, self.host_ahead_s)


def ticks() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
def store():
    return ClockedStore()


@pytest.fixture
async def keeper(store):
    made = timekeeper(store)
    await made.start()
    yield made
    await made.close()


def timekeeper(store) -> Timekeeper:
    return Timekeeper(store, INTERVAL_S, 2.0, clock=ticks)


def wrong_s(keeper: Timekeeper) -> float:
    """How far its time is from the right one."""
    return keeper() - START - ticks()


async def test_it_is_the_databases_time_before_anything_is_served(store, keeper):
    assert store.readings >= 3
    assert wrong_s(keeper) == pytest.approx(0, abs=1e-6)


async def test_half_the_round_trip_is_taken_off(store):
    store.trip_s = 1.0
    keeper = timekeeper(store)
    await keeper.start()
    assert wrong_s(keeper) == pytest.approx(0, abs=1e-6)
    await keeper.close()


@pytest.mark.parametrize("answers_at", [0.0, 1.0])
async def test_a_long_way_there_or_back_does_not_move_a_clock_that_is_known_better(
    store, keeper, answers_at
):
    store.trip_s, store.answers_at = 1.6, answers_at
    await asyncio.sleep(60)
    assert store.readings > 10
    assert abs(wrong_s(keeper)) < 0.01


async def test_the_first_reading_may_be_bad_and_the_next_sets_it_right(store):
    store.trip_s, store.answers_at = 1.6, 0.0
    keeper = timekeeper(store)
    await keeper.measure()
    assert abs(wrong_s(keeper)) == pytest.approx(0.8)
    store.trip_s, store.answers_at = 0.002, 0.5
    await keeper.measure()
    await asyncio.sleep(2)  # what it was ahead is made up for
    assert wrong_s(keeper) == pytest.approx(0, abs=0.01)


async def test_a_step_forward_is_followed_at_the_next_reading(store, keeper):
    store.ahead_s = 62.0
    await asyncio.sleep(INTERVAL_S + 0.1)
    assert wrong_s(keeper) == pytest.approx(62, abs=0.01)


async def test_after_a_step_back_time_goes_on_slower_until_it_is_right(store, keeper):
    """As when another host becomes the database: nothing stands still, and nothing goes back."""
    store.ahead_s = -62.0
    said = [keeper()]
    for _ in range(130):
        await asyncio.sleep(1)
        said.append(keeper())
    assert all(0.49 < later - before < 1.01 for before, later in itertools.pairwise(said))
    assert wrong_s(keeper) == pytest.approx(-62, abs=0.01)


async def test_steps_in_turn_never_take_it_back(store, keeper):
    said = [keeper()]
    for step, ahead_s in enumerate([5.0, -30.0, 30.0, -3600.0, 0.0, -0.5, 0.5] * 3):
        store.ahead_s = ahead_s
        for _ in range(1 + step % 4):
            await asyncio.sleep(0.7)
            said.append(keeper())
    assert said == sorted(said)


async def test_without_an_answer_it_goes_on_by_itself(store, keeper):
    store.down = True
    await asyncio.sleep(600)
    assert wrong_s(keeper) == pytest.approx(0, abs=1e-6)
    store.down = False
    store.ahead_s = 1.0
    await asyncio.sleep(INTERVAL_S + 0.1)
    assert wrong_s(keeper) == pytest.approx(1, abs=0.01)


async def test_a_start_without_an_answer_fails(store):
    store.down = True
    with pytest.raises(StorageUnavailable):
        await timekeeper(store).start()


def test_a_store_without_a_clock_goes_by_the_hosts_and_is_not_asked_again(monkeypatch):
    async def story():
        keeper = timekeeper(MemoryStore())
        await keeper.start()
        for host in (1000.0, 4600.0, 400.0):
            monkeypatch.setattr(time, "time", lambda host=host: host)
            assert keeper() == host
        assert keeper.check() == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await keeper.close()

    told_at_once(story())


@pytest.mark.parametrize(
    ("ahead_s", "says"),
    [
        (0.5, "ok"),
        (4.0, "ok"),
        (-4.0, "ok"),
        (62.0, "62 s ahead of the database's"),
        (-62.0, "62 s behind the database's"),
    ],
)
async def test_readiness_tells_a_host_that_is_far_off(store, ahead_s, says):
    store.host_ahead_s = ahead_s
    keeper = timekeeper(store)
    await keeper.measure()
    assert keeper.check() == {"clock": says}


async def test_a_warning_names_both_and_comes_once_a_minute(store, keeper, caplog):
    store.host_ahead_s = -62.0
    await asyncio.sleep(WARN_EVERY_S - 1)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "62.0 s behind the database's" in record.message
    assert "NTP" in record.message
    await asyncio.sleep(WARN_EVERY_S)
    assert len(caplog.records) == 2
    store.host_ahead_s = 0.0
    await asyncio.sleep(2 * WARN_EVERY_S)
    assert len(caplog.records) == 2
    assert keeper.check() == {"clock": "ok"}


@pytest.mark.parametrize("ahead_s", [0.0, 0.9, -0.9])
async def test_nobody_is_warned_of_less_than_a_second(store, caplog, ahead_s):
    store.host_ahead_s = ahead_s
    await timekeeper(store).measure()
    assert caplog.records == []


async def test_what_may_be_the_round_trip_alone_is_no_difference(store, caplog):
    store.trip_s, store.host_ahead_s = 1.9, 0.94
    keeper = timekeeper(store)
    await keeper.measure()
    assert caplog.records == []
    assert keeper.check() == {"clock": "ok"}
