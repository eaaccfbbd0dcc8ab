"""The event loops that tests run coroutines on: both kinds that we serve with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import uvloop

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PATIENCE_S = 60.0  # only so that nothing hangs for ever
LOOK_EVERY_S = 0.005


async def until(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Let the loop turn until something is so that tells nobody."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "this never happened"
        await asyncio.sleep(LOOK_EVERY_S)
