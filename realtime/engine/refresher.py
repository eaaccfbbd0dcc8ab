"""When a room's members are owed a fresh view: soon, and once however often it is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime.core.effects import ToEach

BYTES_PER_S = 16 * 1024 * 1024  # large rooms are refreshed less often than small ones


class Refresher:
    """Calls `ask` once, a pause after the first `owe`. The pause grows with what views weigh."""

    def __init__(self, interval_s: float, ask: Callable[[], None]) -> None:
        self._interval_s = self._pause_s = interval_s
        self._ask = ask
        self._timer: asyncio.TimerHandle | None = None

    @property
    def owing(self) -> bool:
        """Whether a refresh is planned."""
        return self._timer is not None

    def owe(self) -> None:
        """Somebody does not see the room as it is."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause_s, self._due)

    def shown(self, views: ToEach) -> None:
        """Everybody was sent a view."""
        self._pause_s = max(self._interval_s, views.size_bytes / BYTES_PER_S)

    def cancel(self) -> None:
        """Owe nobody anything."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Owe nobody anything, and drop the owner: the two are a reference cycle."""
        self.cancel()
        self._ask = _nobody

    def _due(self) -> None:
        self._timer = None
        self._ask()


def _nobody() -> None:
    """Asked in the place of one that has ended."""
