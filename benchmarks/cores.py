"""Which core a process may use, and how much of it it used. Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVERS, CLIENTS = CORES[0], CORES[-1]
_TICKS = os.sysconf("SC_CLK_TCK")  # a second
_GONE = (FileNotFoundError, ProcessLookupError)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This thread, and every process that it starts in the block, have this one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def unpinned() -> Iterator[None]:
    """This thread, and every process that it starts in the block, have all cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def group(leader: int) -> list[int]:
    """The processes of the group that `leader` leads."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(*_GONE):
            if os.getpgid(int(folder.name)) == leader:
                found.append(int(folder.name))
    return found


def cpu_s(processes: Iterable[int]) -> float:
    """User and system time that they took so far."""
    total = 0
    for process in processes:
        with suppress(*_GONE):
            _, _, fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")
            user, system = fields.split()[11:13]
            total += int(user) + int(system)
    return total / _TICKS


def memory_kib(processes: Iterable[int]) -> int:
    """What they hold, with each page that several processes share counted in parts (PSS)."""
    total = 0
    for process in processes:
        with suppress(*_GONE):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total
