"""Does something again and again, and goes on whatever it meets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from contracts.complaints import Complaints
from contracts.incidents import report
from realtime.engine.store import Busy, StorageUnavailable


class Ticker:
    """Owns the task that ticks."""

    def __init__(
        self,
        what: str,
        tick: Callable[[], Awaitable[float]],
        interval_s: float,
        complaints: Complaints,
    ) -> None:
        """`tick` returns how many seconds to pause after it; `interval_s` follows one that failed.
        `what` it is stands beside the error when it has a bug."""
        self._what = what
        self._tick = tick
        self._interval_s = interval_s
        self._complaints = complaints
        self._task: asyncio.Task[None] | None = None
        self._hurried = asyncio.Event()

    def start(self) -> None:
        """Tick now, and from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def hurry(self) -> None:
        """Tick at once, or once more after the tick under way."""
        self._hurried.set()

    async def close(self) -> None:
        """Tick no more."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            pause_s = self._interval_s
            try:
                pause_s = await self._tick()
            except (StorageUnavailable, Busy, TimeoutError) as problem:
                self._complaints.add(str(problem) or "no answer in time")
            except Exception as bug:  # noqa: BLE001  the next tick may do better
                report(bug, self._what)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._hurried.wait()
            self._hurried.clear()
