"""The realtime service with a death in its future: `python -m tests.faultlab.doomed_realtime`.

The file that FAULTLAB_DOOM names says where and when: `POINT COMMITS`. It is read when it appears,
and the process kills itself at that point of the commit that is so many after. Its host's clock is
wrong by as much as the file of TEST_SKEW says.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import django

from config import env
from realtime.core.rows import Commit
from realtime.engine.postgres_database import PostgresDatabase
from realtime.engine.store import Store
from tests.faultlab.doomed_points import AFTER, ANSWERED, BEFORE, DOOM, INSIDE
from tests.support.skewed_realtime import SKEW, skew

STATEMENT_S = 0.003  # about how long a statement takes
ANSWER_LEAVES_S = 0.03
SPEAKERS = (  # whatever is told to anybody but the caller passes here
    ("realtime.engine.hub", "Hub", "deliver"),
    ("realtime.engine.hub", "Hub", "broadcast"),
    ("realtime.engine.channels_bus", "ChannelsBus", "publish"),
)


class Doom:
    """Which point of which commit is the last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._point = ""
        self._commits = 0

    def count(self) -> None:
        """One more commit. The first after the file appeared reads it."""
        if not self._point and self._file.exists():
            self._point, commits = self._file.read_text().split()
            self._commits = int(commits) + 1
        self._commits -= 1

    def strikes(self, point: str) -> bool:
        return self._point == point and self._commits <= 0

    def at(self, point: str) -> None:
        if self.strikes(point):
            die()


class DoomedStore:
    """A store that works until then."""

    def __init__(self, store: Store, doom: Doom) -> None:
        self._store = store
        self._doom = doom

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, commit: Commit) -> bool:
        return await self._keep(commit, self._store.commit)

    @asynccontextmanager
    async def hold(self, *arguments: Any) -> AsyncIterator[Any]:
        """A room that is held is kept by whoever holds it."""
        store: Any = self._store
        async with store.hold(*arguments) as held:
            yield held._replace(commit=partial(self._keep, keep=held.commit))

    async def _keep(self, commit: Commit, keep: Callable[[Commit], Awaitable[bool]]) -> bool:
        self._doom.count()
        self._doom.at(BEFORE)
        kept = await keep(commit)
        self._doom.at(AFTER)
        if kept and self._doom.strikes(ANSWERED):
            fall_silent()
        return kept


def doom_statements(doom: Doom) -> None:
    """Have the process die within a statement that keeps rooms: it waits in a thread meanwhile."""
    keep = PostgresDatabase.keep

    def doomed(self: PostgresDatabase, *arguments: Any, **options: Any) -> list[bool]:
        if doom.strikes(INSIDE):
            threading.Thread(target=die_soon, daemon=True).start()
            kept = keep(self, *arguments, **options)
            time.sleep(1)  # it was quicker: then the answer is what gets lost
            return kept
        return keep(self, *arguments, **options)

    PostgresDatabase.keep = doomed  # type: ignore[method-assign]


def fall_silent() -> None:
    """Answers still leave; nothing is told to anybody else."""
    for module, speaker, way in SPEAKERS:
        if module in sys.modules:
            setattr(getattr(sys.modules[module], speaker), way, lambda *arguments: None)
    asyncio.get_running_loop().call_later(ANSWER_LEAVES_S, die)


def die_soon() -> None:
    time.sleep(random.uniform(0, STATEMENT_S))
    die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    skew(Path(os.environ[SKEW]))
    env.enter("realtime")
    django.setup()
    from realtime import runtime, serve

    doom = Doom(Path(os.environ[DOOM]))
    doom_statements(doom)
    make_store = runtime.process.make_store
    runtime.process.make_store = lambda settings: DoomedStore(make_store(settings), doom)
    sys.exit(serve.main())
