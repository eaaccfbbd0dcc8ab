"""The realtime service with one fault: `python -m tests.support.broken_realtime FAULT`.

Each class is one named fault. Most strike when a player named VICTIM is kept.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

import django

from config import env
from realtime.core.rows import Commit
from realtime.engine import postgres_connection
from realtime.engine.sqlite_database import SqliteDatabase
from realtime.engine.store import StorageUnavailable, Store
from tests.support.databases import AT_THE_GATE, GATE

VICTIM = "mallory"
LATE_BY_S = 1.0  # a kill that follows an acknowledgement comes earlier
LOOK_EVERY_S = 0.01


class FaultyStore:
    """A store that works, but for what a subclass does about the victim's commit."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, commit: Commit) -> bool:
        if not any(seat.username == VICTIM for seat in commit.seats):
            return await self.store.commit(commit)
        self.before()
        kept = await self.store.commit(commit)
        self.after()
        return kept

    def before(self) -> None:
        """The commit has not begun."""

    def after(self) -> None:
        """The commit is kept, and nobody knows yet."""


class DiesBeforeCommit(FaultyStore):
    def before(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class DiesAfterCommit(FaultyStore):
    def after(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class LosesTheAnswer(FaultyStore):
    """Once: storage keeps the commit, and its connection breaks before it says so."""

    lost = False

    def after(self) -> None:
        if not self.lost:
            self.lost = True
            raise StorageUnavailable("the connection was lost")


class Hangs(FaultyStore):
    """From the victim on nothing is kept or refused; nor does it close."""

    async def commit(self, commit: Commit) -> bool:
        if any(seat.username == VICTIM for seat in commit.seats):
            await for_ever()
        return await self.store.commit(commit)

    async def close(self) -> None:
        await for_ever()


class BlocksTheEnd(FaultyStore):
    """It closes in the event loop, and never."""

    async def close(self) -> None:
        threading.Event().wait()


class WaitsInside(FaultyStore):
    """A statement may last as long as a trigger of the test has it wait, inside its transaction:
    see `slow_seat` of tests.support.databases."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        postgres_connection._SESSION["statement_timeout"] = "0"
        connect = SqliteDatabase._connect

        def with_a_gate(database: SqliteDatabase) -> sqlite3.Connection:
            connection = connect(database)
            gate = Path(database._params["database"]).with_name(GATE)
            connection.create_function("waits_at_the_gate", 0, lambda: wait_at(gate))
            return connection

        replaced: Any = SqliteDatabase
        replaced._connect = with_a_gate


class AcknowledgesEarly(FaultyStore):
    """Says of everything that it is kept, and keeps it a moment later."""

    async def commit(self, commit: Commit) -> bool:
        loop = asyncio.get_running_loop()
        loop.call_later(LATE_BY_S, lambda: loop.create_task(self.store.commit(commit)))
        return True


def wait_at(gate: Path) -> None:
    """Return when it is gone."""
    gate.with_name(AT_THE_GATE).touch()
    while gate.exists():
        time.sleep(LOOK_EVERY_S)


async def for_ever() -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    env.enter("realtime")
    django.setup()
    from realtime import runtime, serve

    fault = getattr(sys.modules[__name__], sys.argv[1])
    runtime.process.make_store = lambda settings: fault(runtime.orm_store(settings))
    sys.exit(serve.main())
