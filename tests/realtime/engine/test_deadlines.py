"""Many limits, one timer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime.engine.deadlines import LOOK_S, Deadlines
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

LIMIT_S = 2.0
BROKEN_OFF = pytest.approx(-(LIMIT_S + LOOK_S))


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


@pytest.fixture
def deadlines():
    return Deadlines(LIMIT_S)


def now() -> float:
    return asyncio.get_running_loop().time()


async def limited(deadlines: Deadlines, takes_s: float) -> float:
    """When a block that takes so long ended: itself, or by its limit."""
    began, task = now(), asyncio.current_task()
    assert task
    try:
        with deadlines.limit(task):
            await asyncio.sleep(takes_s)
    except TimeoutError:
        assert not task.cancelling()
        return -(now() - began)
    return now() - began


async def test_a_block_that_ends_in_time_is_left_alone(deadlines):
    assert await limited(deadlines, 1) == pytest.approx(1)
    await asyncio.sleep(2 * LIMIT_S)


async def test_a_block_that_takes_longer_is_broken_off(deadlines):
    assert await limited(deadlines, 60) == BROKEN_OFF


async def test_each_has_a_limit_of_its_own(deadlines):
    async def later(begin_s: float, takes_s: float) -> float:
        await asyncio.sleep(begin_s)
        return await limited(deadlines, takes_s)

    ended = await asyncio.gather(
        later(0, 1), later(0.5, 60), later(1, 0.1), later(1.5, 60), later(1.5, 1), later(9, 60)
    )
    assert ended[::2] == pytest.approx([1, 0.1, 1])
    # Limits that pass while the loop takes its last look wait for the next one.
    assert ended[1::2] == pytest.approx([-LIMIT_S] * 3, abs=2 * LOOK_S)


async def test_it_serves_again_after_it_was_idle(deadlines):
    for takes_s, ended in ((60, BROKEN_OFF), (1, pytest.approx(1)), (60, BROKEN_OFF)):
        assert await limited(deadlines, takes_s) == ended
        await asyncio.sleep(5)


async def test_who_is_cancelled_by_another_stays_cancelled(deadlines):
    task = asyncio.ensure_future(limited(deadlines, 60))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_when_the_limit_passes_is_cancelled(deadlines):
    async def stubborn() -> None:
        task = asyncio.current_task()
        with deadlines.limit(task):
            try:
                await asyncio.sleep(1)
            finally:
                await asyncio.sleep(60)

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() < 60


async def test_what_a_block_raises_is_raised(deadlines):
    with pytest.raises(KeyError), deadlines.limit(asyncio.current_task()):
        raise KeyError


async def test_many_that_are_late_together_end_together(deadlines):
    ended = await asyncio.gather(*(limited(deadlines, 60) for _ in range(200)))
    assert ended == [BROKEN_OFF] * 200


async def test_the_time_of_turns_is_not_counted(deadlines):
    async def turns() -> None:
        await asyncio.sleep(1)
        deadlines.excuse(30)  # the loop did nothing else for so long

    slow, others, _ = await asyncio.gather(limited(deadlines, 31), limited(deadlines, 60), turns())
    assert slow == pytest.approx(31)
    assert others == pytest.approx(-(LIMIT_S + 30 + LOOK_S))


async def test_a_block_whose_result_came_while_the_process_stood_still_is_in_time(deadlines):
    """The result and the limit are both there when the loop runs again, and the limit first."""
    loop, result = asyncio.get_running_loop(), asyncio.Event()
    with deadlines.limit(asyncio.current_task()):
        loop.call_later(LIMIT_S, loop.call_soon, result.set)
        await result.wait()


async def test_short_turns_that_never_cease_put_no_limit_off(deadlines):
    """Relays go on while storage hangs, and each of them says how long it took."""

    async def relays() -> None:
        while True:
            deadlines.excuse(2**-13)  # such sums are exact
            await asyncio.sleep(2**-7)

    relaying = asyncio.ensure_future(relays())
    try:
        async with asyncio.timeout(10 * LIMIT_S):
            ended = await limited(deadlines, 60)
    finally:
        relaying.cancel()
    assert ended == pytest.approx(-LIMIT_S, abs=3 * LOOK_S)


@pytest.mark.parametrize("share", [0.1, 0.9])
async def test_a_turn_within_the_last_look_begins_it_anew(deadlines, share):
    """What came during the turn is seen before anything is broken off."""
    loop: Any = asyncio.get_running_loop()
    result = asyncio.Event()

    def turn() -> None:
        loop._jumping.now += 3
        deadlines.excuse(3)
        loop.call_later(LOOK_S / 2, result.set)

    with deadlines.limit(asyncio.current_task()):
        loop.call_later(LIMIT_S + LOOK_S * share, turn)
        await result.wait()
