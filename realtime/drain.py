"""How a process takes leave of its sockets: a few at a time, so that they don't all come back at
once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from contracts.sockets import Close

SOCKETS_S = 12.0  # what they may take beyond DRAIN_TIMEOUT_S, however many there are
STORAGE_S = 3.0  # what storage may take to close; a commit has 2 s
STEP_S = 0.1  # between two closes or groups of them


class Socket(Protocol):
    """The way out to one socket."""

    closed: bool

    def close(self, code: Close) -> None: ...


async def send_away(sockets: Collection[Socket], per_s: int, until: float) -> None:
    """Close all with 1012, `per_s` a second; faster where not all would be closed by `until`.

    What is queued to a socket leaves before its close. `until` is the event loop's time.
    """
    now = asyncio.get_running_loop().time
    while still_open := [one for one in sockets if not one.closed]:
        left_s = max(until - now(), STEP_S)
        rate = max(per_s, len(still_open) / left_s)
        pause_s = max(STEP_S, 1 / rate)
        for one in still_open[: round(rate * pause_s)]:
            one.close(Close.RESTART)
        await asyncio.sleep(pause_s)
