"""Rounds: what waits together is done together, and what nobody waits for is not done."""

import asyncio
import threading

import pytest

from realtime.engine import rounds
from realtime.engine.rounds import ROUND_MAX, Rounds
from realtime.engine.store import StorageUnavailable
from tests.support.loops import until
from tests.support.stores import told


class GatedWork:
    """Work that stops in every round until it is let through. Doubles numbers."""

    def __init__(self):
        self.rounds = []
        self.gate = threading.Event()
        self.interrupted = threading.Event()
        self.closed = False
        self.loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()

    def run(self, items):
        self.rounds.append(list(items))
        self.loop.call_soon_threadsafe(self.begun.set)
        assert self.gate.wait(10)
        if "everything" in items:
            raise ValueError("everything")
        return [ValueError(item) if isinstance(item, str) else item * 2 for item in items]

    def interrupt(self):
        self.interrupted.set()
        self.gate.set()

    def close(self):
        self.closed = True


async def opened(**options):
    """Rounds whose first one is under way, and holds the thread until the gate opens."""
    work = GatedWork()
    served = Rounds(work, "test rounds", **options)
    served.start()
    first = asyncio.create_task(served.call(0))
    await work.begun.wait()
    return work, served, first


def calls(served, items):
    return asyncio.gather(*map(served.call, items), return_exceptions=True)


def test_what_waits_while_the_thread_is_busy_is_the_next_round():
    async def story():
        work, served, first = await opened()
        answers = calls(served, [1, 2, 3])
        await asyncio.sleep(0)
        work.gate.set()
        assert await answers == [2, 4, 6]
        assert await first == 0
        assert work.rounds == [[0], [1, 2, 3]]
        await served.close()

    told(story())


def test_a_round_has_an_end():
    async def story():
        work, served, _ = await opened()
        answers = calls(served, range(ROUND_MAX + 1))
        await asyncio.sleep(0)
        work.gate.set()
        await answers
        assert [len(items) for items in work.rounds] == [1, ROUND_MAX, 1]
        await served.close()

    told(story())


def test_each_caller_gets_its_own_exception():
    async def story():
        work, served, _ = await opened()
        work.gate.set()
        good, bad, other = await calls(served, [1, "bad", 2])
        assert (good, other) == (2, 4)
        assert bad.args == ("bad",)
        await served.close()

    told(story())


def test_what_befalls_a_round_befalls_everybody_in_it_and_nobody_after():
    async def story():
        work, served, _ = await opened()
        answers = calls(served, [1, "everything"])
        await asyncio.sleep(0)
        work.gate.set()
        assert [answer.args for answer in await answers] == [("everything",)] * 2
        assert await served.call(4) == 8
        await served.close()

    told(story())


def test_a_call_given_up_before_its_round_is_never_done():
    async def story():
        work, served, first = await opened()
        waiting = [asyncio.create_task(served.call(number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)
        work.gate.set()
        await asyncio.wait([first, *waiting])
        assert work.rounds == [[0], [1, 3]]
        await served.close()

    told(story())


def test_a_call_given_up_during_its_round_is_done_nevertheless():
    async def story():
        work, served, first = await opened()
        first.cancel()
        await asyncio.wait([first])
        work.gate.set()
        assert await served.call(1) == 2
        assert work.rounds == [[0], [1]]
        assert not work.interrupted.is_set()
        await served.close()

    told(story())


def test_a_round_that_hangs_is_broken_off_when_a_caller_gives_up(monkeypatch):
    monkeypatch.setattr(rounds, "HANGS_S", 0.01)

    async def story():
        work, served, _ = await opened()
        waiting = asyncio.create_task(served.call(1))
        await until(lambda: served._began is not None)
        await asyncio.sleep(2 * rounds.HANGS_S)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert work.interrupted.is_set()
        await served.close()
        assert work.rounds == [[0]]

    told(story())


def test_a_full_queue_refuses_and_recovers():
    async def story():
        work, served, _ = await opened(max_waiting=2)
        *waiting, refused = [asyncio.create_task(served.call(number)) for number in (1, 2, 3)]
        with pytest.raises(StorageUnavailable):
            await refused
        work.gate.set()
        assert await asyncio.gather(*waiting) == [2, 4]
        assert await served.call(5) == 10
        await served.close()

    told(story())


def test_closing_finishes_what_waits_and_refuses_the_rest():
    async def story():
        work, served, first = await opened()
        waiting = [asyncio.create_task(served.call(number)) for number in (1, 2)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(served.close())
        await asyncio.sleep(0)
        with pytest.raises(StorageUnavailable):
            await served.call(3)
        work.gate.set()
        await closing
        assert await asyncio.gather(first, *waiting) == [0, 2, 4]
        assert work.closed
        await served.close()

    told(story())


def test_closing_breaks_off_what_hangs(monkeypatch):
    monkeypatch.setattr(rounds, "CLOSE_LIMIT_S", 0.01)

    async def story():
        work, served, _ = await opened()
        await served.close()
        assert work.interrupted.is_set()

    told(story())
