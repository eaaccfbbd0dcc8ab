"""Coroutines in tests that are none: a loop to run them on, which lives as long as its test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import uvloop

Result = TypeVar("Result")

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PATIENCE_S = 2.0
LOOK_EVERY_S = 0.005


class Run(Protocol):
    """Runs a coroutine on the test's loop. Between two runs the loop stands still."""

    def __call__(self, coroutine: Coroutine[Any, Any, Result]) -> Result: ...


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something is so that tells nobody."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "this never happened"
        await asyncio.sleep(LOOK_EVERY_S)
