"""`commits`: batches per second that each store keeps, by how many rooms commit at once."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import django
import uvloop

from benchmarks import JOINS, databases, machine
from benchmarks.batches import rooms
from benchmarks.cores import SERVERS, cpu_s, pinned
from benchmarks.databases import Make
from benchmarks.figures import table
from config import env
from config.serving import tune_process
from realtime.engine.memory_store import MemoryStore
from realtime.engine.store import Store
from scripts.lib.bootstrap import say

env.enter("realtime")
django.setup()

from tests.support.stores import DatabasePlace  # noqa: E402  (it needs Django's apps to be ready)

COMMITTERS = (1, 8, 32, 64)
WARM_S = 0.5
HEAD = ["commits/s (CPU, us each)", *(f"{many} at once" for many in COMMITTERS)]


class Place(NamedTuple):
    """Somewhere to keep rooms."""

    store: Callable[[], Store]
    workers: Callable[[], list[int]]  # processes that work for it


class Measured(NamedTuple):
    """What a store did with so many committers."""

    commits_per_s: float
    cpu_us: float  # for each commit: this process and the workers


def measure(folder: Path, rounds: int, seconds: float) -> None:
    """Every store, with ever more committers, once a round."""
    tune_process()
    describe(rounds, seconds)
    measured: dict[str, list[list[Measured]]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for kind, opened in places().items():
            with opened(folder) as place, pinned(SERVERS):
                measured[kind].append([keep(place, many, seconds) for many in COMMITTERS])
            say(f"round {number}, {kind}")
    print(table(HEAD, [row(kind, rows) for kind, rows in measured.items()]))


def describe(rounds: int, seconds: float) -> None:
    machine.fact("cores", f"the store's process on {SERVERS}, PostgreSQL on any")
    machine.fact(
        "work",
        f"each committer creates a room, commits {JOINS} joins, again; "
        f"medians of {rounds} rounds of {seconds:g} s after {WARM_S:g} s\n",
    )


def places() -> Mapping[str, Callable[[Path], AbstractContextManager[Place]]]:
    kinds = databases.available().items()
    return {"memory": in_memory} | {kind: partial(in_database, make) for kind, make in kinds}


@contextmanager
def in_memory(folder: Path) -> Iterator[Place]:
    yield Place(MemoryStore, list)


@contextmanager
def in_database(make: Make, folder: Path) -> Iterator[Place]:
    with make(folder) as database:
        yield Place(DatabasePlace(database).store, partial(databases.workers, database))


def keep(place: Place, committers: int, seconds: float) -> Measured:
    """Open a store, warm it up, measure, close it."""

    async def story() -> Measured:
        store = place.store()
        await store.start()
        try:
            await together(store, committers, WARM_S)
            processes = [os.getpid(), *place.workers()]
            began, spent = time.monotonic(), cpu_s(processes)
            kept = await together(store, committers, seconds)
            spent = cpu_s(processes) - spent
            return Measured(kept / (time.monotonic() - began), spent * 1e6 / kept)
        finally:
            await store.close()

    return uvloop.run(story())


async def together(store: Store, committers: int, seconds: float) -> int:
    """How many batches so many committers got kept."""
    deadline = time.monotonic() + seconds
    return sum(await asyncio.gather(*(commits(store, deadline) for _ in range(committers))))


async def commits(store: Store, deadline: float) -> int:
    kept = 0
    for room in rooms():
        for batch in room:
            if not await store.commit(batch):
                raise AssertionError("nobody else writes these rooms")
            kept += 1
        if time.monotonic() > deadline:
            break
    return kept


def row(kind: str, rounds: Sequence[Sequence[Measured]]) -> list[str]:
    return [kind, *(cell(some) for some in zip(*rounds, strict=True))]


def cell(rounds: Sequence[Measured]) -> str:
    per_s, us = (median(figures) for figures in zip(*rounds, strict=True))
    return f"{per_s:,.0f} ({us:,.0f})"
