"""Time limits of one length for many tasks, by one timer: who began first is the next to end."""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from types import TracebackType

LOOK_S = 0.05  # until the loop has seen what threads and sockets brought


class Deadline:
    """The limit of one task, for a block. When it passes first, the block raises TimeoutError."""

    __slots__ = ("_cancelling", "_passed", "_task", "at", "over")

    def __init__(self, task: asyncio.Task[None], at: float) -> None:
        self._task = task
        self._cancelling = task.cancelling()
        self._passed = False
        self.at = at  # by the clock of Deadlines
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
    and a timer for each would be set and cancelled for nothing.

    The clock of these limits stands still while turns run (`excuse`): a limit is for storage, and a
    slow handler of one room takes nothing from the others. A loop runs timers before it reads what
    came meanwhile. So after a limit has passed the loop runs once more, and a block that was in
    time is not broken off because the process could not run.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        # In the order they pass. One whose block has ended stays behind one that runs, until that
        # ends or passes: there may be as many as began within `limit_s`, not only those that run.
        self._running: deque[Deadline] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._excused_s = 0.0  # by how much the clock is behind the loop's
        self._looked_at = -inf  # limits up to here have passed; the loop has run since, LOOK_S on

    def limit(self, task: asyncio.Task[None]) -> Deadline:
        """A limit from now on, for a block of the task that is running."""
        deadline = Deadline(task, self._now() + self._limit_s)
        self._drop_ended()
        self._running.append(deadline)
        if self._timer is None:
            self._ring_in(self._limit_s)
        return deadline

    def excuse(self, seconds: float) -> None:
        """Stop the clock for the time that turns kept the loop from everything else."""
        self._excused_s += seconds
        if seconds >= LOOK_S / 2:
            self._looked_at = -inf

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._excused_s

    def _ring_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """End those that are late, and come back for the next."""
        self._timer = None
        self._drop_ended()
        now = self._now()
        # A long turn begins the look anew. Short ones, of which there is no end while volatile
        # messages come, only lengthen it by the time that they took.
        seen = now - self._looked_at >= LOOK_S / 2
        while seen and self._running and self._running[0].at <= self._looked_at:
            self._running.popleft().pass_by()
            self._drop_ended()
        if not self._running:
            return
        left_s = self._running[0].at - now
        if left_s > 0:
            self._ring_in(left_s)
            return
        if self._running[0].at > self._looked_at:
            self._looked_at = now
        self._ring_in(LOOK_S)

    def _drop_ended(self) -> None:
        while self._running and self._running[0].over:
            self._running.popleft()
