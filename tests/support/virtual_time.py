"""An event loop whose clock jumps: what waits for a time waits no time at all."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

# For `anyio_backend`: a module's coroutine tests run on such a loop.
VIRTUAL_TIME = ("asyncio", {"loop_factory": lambda: VirtualTimeLoop()})


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
