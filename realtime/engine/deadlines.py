"""Time limits of one length for many tasks, by one timer: who began first is the next to end."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType


class Deadline:
    """The limit of one task, for a block. When it passes first, the block raises TimeoutError."""

    __slots__ = ("_cancelling", "_passed", "_task", "at", "over")

    def __init__(self, task: asyncio.Task[None], at: float) -> None:
        self._task = task
        self._cancelling = task.cancelling()
        self._passed = False
        self.at = at  # by the loop's clock
        self.over = False  # the block has ended

    def pass_by(self) -> None:
        """Break the block off."""
        self._passed = True
        self._task.cancel()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, problem: object, trace: TracebackType | None
    ) -> None:
        self.over = True
        # Whoever else cancels the task is to see it cancelled, as with asyncio.timeout.
        ours = self._passed and self._task.uncancel() <= self._cancelling
        if ours and kind is asyncio.CancelledError:
            raise TimeoutError


class Deadlines:
    """What asyncio.timeout does, at a third of the cost: most blocks end long before their limit,
    and a timer for each would be set and cancelled for nothing."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        # In the order they pass. One whose block has ended stays behind one that runs, until that
        # ends or passes: there may be as many as began within `limit_s`, not only those that run.
        self._running: deque[Deadline] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, task: asyncio.Task[None]) -> Deadline:
        """A limit from now on, for a block of the task that is running."""
        loop = asyncio.get_running_loop()
        deadline = Deadline(task, loop.time() + self._limit_s)
        self._drop_ended()
        self._running.append(deadline)
        if self._timer is None:
            self._timer = loop.call_at(deadline.at, self._look)
        return deadline

    def _look(self) -> None:
        """End those that are late, and come back for the next."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._drop_ended()
        while self._running and self._running[0].at <= now:
            self._running.popleft().pass_by()
            self._drop_ended()
        if self._running:
            self._timer = loop.call_at(self._running[0].at, self._look)

    def _drop_ended(self) -> None:
        while self._running and self._running[0].over:
            self._running.popleft()
