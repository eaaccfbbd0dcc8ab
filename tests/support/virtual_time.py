"""Event loops whose clock jumps, or stands still: no test waits for a time, or runs late."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, TypeVar

from tests.support.servers import until

T = TypeVar("T")

# For `anyio_backend`: a module's coroutine tests run on such a loop.
VIRTUAL_TIME = ("asyncio", {"loop_factory": lambda: VirtualTimeLoop()})
HANGS_S = 60.0  # by the wall: a story whose clock is held ends in an error then
LOOK_EVERY_S = 0.5
MOMENT_S = 0.002  # longer than a deadline's second look at its sockets
TURNS = 20  # of the loop, in which all that is due has run


class _Jumping(selectors.DefaultSelector):
    """Where the loop would sleep, time passes."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is going to happen")
        self.now += max(timeout, 0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For stories in which nothing comes from outside: no threads, no network."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def told_at_once(story: Awaitable[T]) -> T:
    """Run a story to its end, however long it takes by its own clock."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:

        async def whole() -> T:
            return await story

        return runner.run(whole())


class _Watched(selectors.DefaultSelector):
    """Where the loop would wait for ever, it says so."""

    heard_at = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(LOOK_EVERY_S if timeout is None else min(timeout, LOOK_EVERY_S))
        if ready or timeout == 0:
            self.heard_at = monotonic()
        elif monotonic() - self.heard_at > HANGS_S:
            raise RuntimeError("the clock is held, and nothing happens")
        return ready


class HeldClockLoop(asyncio.SelectorEventLoop):
    """For stories with a real network: the clock stands still until the test moves it, so that a
    deadline passes when the story says, and however slow the machine is."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Watched())

    def time(self) -> float:
        return self._now

    async def passes(self, seconds: float) -> None:
        """Move the clock, and a moment more for second looks; what is due has run then."""
        for step_s in (seconds, MOMENT_S):
            self._now += step_s
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something outside this loop, while no time passes."""
        await asyncio.to_thread(until, condition)

    async def ends_after(self, call: asyncio.Future[Any], seconds: float) -> None:
        """Move the clock so far. `call` is not over before, and over then."""
        await self.passes(seconds - 4 * MOMENT_S)
        assert not call.done(), "it is over too early"
        await self.passes(4 * MOMENT_S)
        assert call.done(), "it is not over yet"


def held_clock() -> HeldClockLoop:
    """The running loop, whose clock is held."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HeldClockLoop)
    return loop
