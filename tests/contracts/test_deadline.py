"""A deadline is kept to the moment, however often it moves, and hardly ever armed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contracts.deadline import Deadline
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


def about(time_s):
    return pytest.approx(time_s, abs=0.01)


class Watch:
    """A deadline, and when it passed."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.passed: list[float] = []
        self.armed = 0
        counted: Any = self  # a loop, as far as a deadline uses one
        self.deadline = Deadline(counted, lambda: self.passed.append(self.loop.time()))

    def time(self):
        return self.loop.time()

    def call_at(self, *given):
        self.armed += 1
        return self.loop.call_at(*given)


@pytest.fixture
async def watch():
    return Watch()


async def test_passes_once(watch):
    watch.deadline.set(5)
    await asyncio.sleep(100)
    assert watch.passed == [about(5)]


async def test_is_met_by_what_came_while_nobody_could_look(watch):
    """The loop was held up past the deadline, and then finds both: the time, and the answer."""
    watch.deadline.set(5)
    watch.loop.call_at(5.0005, watch.deadline.clear)
    await asyncio.sleep(100)
    assert watch.passed == []


async def test_may_be_put_off(watch):
    for _ in range(100):
        watch.deadline.set(5)
        await asyncio.sleep(1)
    assert watch.passed == []
    await asyncio.sleep(10)
    assert watch.passed == [about(104)]
    assert watch.armed < 30


async def test_may_come_earlier(watch):
    watch.deadline.set(75)
    watch.deadline.set(5)
    await asyncio.sleep(100)
    assert watch.passed == [about(5)]


async def test_may_be_cleared_and_set_again(watch):
    watch.deadline.set(5)
    watch.deadline.clear()
    await asyncio.sleep(10)
    assert watch.passed == []
    watch.deadline.set(5)
    await asyncio.sleep(10)
    assert watch.passed == [about(15)]


async def test_may_be_a_time_of_the_loops(watch):
    watch.deadline.set_at(7)
    await asyncio.sleep(10)
    assert watch.passed == [about(7)]


async def test_leaves_no_timer_behind(watch):
    watch.deadline.set(5)
    watch.deadline.close()
    watch.deadline.close()
    await asyncio.sleep(10)
    assert watch.passed == []
