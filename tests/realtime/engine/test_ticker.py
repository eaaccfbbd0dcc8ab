"""Again and again, whatever happens."""

from __future__ import annotations

import asyncio
import logging

import pytest

from contracts.complaints import Complaints
from realtime.engine.store import Busy, StorageUnavailable
from realtime.engine.ticker import Ticker
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

INTERVAL_S = 10.0


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


class Ticks:
    """When a ticker ticked; each tick may fail."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.pause_s = INTERVAL_S
        self.takes_s = 0.0
        self.problem: Exception | None = None
        self.ticker = Ticker("test", self._tick, INTERVAL_S, Complaints("ticks"))

    async def _tick(self) -> float:
        self.at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes_s)
        if self.problem:
            raise self.problem
        return self.pause_s


@pytest.fixture
async def ticks():
    made = Ticks()
    yield made
    await made.ticker.close()


def moments(*expected: float):
    return pytest.approx(expected, abs=0.01)


async def test_it_ticks_at_once_and_again(ticks):
    ticks.ticker.start()
    await asyncio.sleep(25)
    assert ticks.at == moments(0, 10, 20)


async def test_a_tick_says_when_the_next_one_is(ticks):
    ticks.pause_s = 3.0
    ticks.ticker.start()
    await asyncio.sleep(7)
    assert ticks.at == moments(0, 3, 6)


async def test_in_a_hurry_it_ticks_at_once_and_then_as_before(ticks):
    ticks.ticker.start()
    await asyncio.sleep(5)
    ticks.ticker.hurry()
    ticks.ticker.hurry()
    await asyncio.sleep(11)
    assert ticks.at == moments(0, 5, 15)


async def test_a_hurry_during_a_tick_is_one_more_tick(ticks):
    ticks.takes_s = 2.0
    ticks.ticker.start()
    await asyncio.sleep(1)
    ticks.ticker.hurry()
    ticks.ticker.hurry()
    await asyncio.sleep(8)
    assert ticks.at == moments(0, 2)


async def test_a_hurry_before_it_starts_is_one_more_tick():
    ticks = Ticks()
    ticks.ticker.hurry()
    ticks.ticker.start()
    await asyncio.sleep(5)
    assert ticks.at == moments(0, 0)
    await ticks.ticker.close()


@pytest.mark.parametrize(
    "problem",
    [StorageUnavailable("no connection"), Busy("locked"), TimeoutError(), KeyError("secret")],
)
async def test_it_goes_on_after_a_tick_that_failed(ticks, problem, caplog):
    ticks.problem, ticks.pause_s = problem, 1.0
    ticks.ticker.start()
    with caplog.at_level(logging.WARNING):
        await asyncio.sleep(5)
    ticks.problem = None
    await asyncio.sleep(6.5)
    assert ticks.at == moments(0, 10, 11)
    assert caplog.records
    assert "secret" not in caplog.text


async def test_it_ends_in_the_middle_of_a_tick(ticks):
    ticks.takes_s = 1000.0
    ticks.ticker.start()
    await asyncio.sleep(1)
    await ticks.ticker.close()
    assert asyncio.get_running_loop().time() == pytest.approx(1, abs=0.01)
    await asyncio.sleep(50)
    assert ticks.at == moments(0)


async def test_one_that_never_started_ends():
    await Ticks().ticker.close()
