"""Many mutations to all readers, and what they came to."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from tests.framelab.comparison import compare
from tests.framelab.differences import Stream
from tests.framelab.mutations import mutations, reads
from tests.framelab.readers import Make, Ours, Outcome, outcome

WARM = 5000  # inputs until memory is what it is going to be
SHOWN = 20  # streams that are kept to be shown


@dataclass
class Tally:
    """What so many inputs came to."""

    inputs: int = 0
    ends: Counter[str] = field(default_factory=Counter)  # of ours
    agreements: Counter[str] = field(default_factory=Counter)  # by the other one
    differences: Counter[tuple[str, str]] = field(default_factory=Counter)  # the explained ones
    unexplained: list[str] = field(default_factory=list)
    by_reads: list[str] = field(default_factory=list)  # ours is not the same however it is cut
    worst_s: float = 0.0  # CPU time that ours took for one input
    spent_s: float = 0.0  # for all of them
    grown_bytes: int = 0  # the process's peak, since it was warm

    @property
    def good(self) -> bool:
        return not (self.unexplained or self.by_reads)


def fuzz(inputs: int, seed: int, ours: Make = Ours) -> Tally:
    """Try so many. Ours also gets each in several reads."""
    tally, random = Tally(), Random(seed)
    for stream in _watched(tally, islice(mutations(seed), inputs)):
        tally.inputs += 1
        whole = _timed(tally, stream, [stream.sent], ours)
        tally.ends[_end(whole)] += 1
        cut = reads(random, stream.sent)
        if _timed(tally, stream, cut, ours) != whole:
            _keep(tally.by_reads, f"{list(map(len, cut))}: {stream.sent.hex()}")
        _count(tally, stream, ours)
    return tally


def _count(tally: Tally, stream: Stream, ours: Make) -> None:
    for verdict in compare(stream, ours):
        if verdict.agrees:
            tally.agreements[verdict.peer] += 1
        elif verdict.difference:
            tally.differences[verdict.peer, verdict.difference.what] += 1
        else:
            shown = f"{verdict.peer}, at most {stream.max_bytes}: {stream.sent.hex()}"
            _keep(tally.unexplained, shown)


def _keep(found: list[str], one: str) -> None:
    if len(found) < SHOWN:
        found.append(one)


def _timed(tally: Tally, stream: Stream, cut: list[bytes], ours: Make) -> Outcome:
    began = time.thread_time()
    found = outcome(ours(stream.max_bytes), cut)
    took_s = time.thread_time() - began
    tally.worst_s, tally.spent_s = max(tally.worst_s, took_s), tally.spent_s + took_s
    return found


def _end(found: Outcome) -> str:
    return "closed" if found.closed else str(found.failed or "open")


def _watched(tally: Tally, inputs: Iterator[Stream]) -> Iterator[Stream]:
    """The inputs; and how the process's memory grows once the first of them are gone."""
    yield from islice(inputs, WARM)
    gc.collect()
    before = _peak_bytes()
    yield from inputs
    tally.grown_bytes = _peak_bytes() - before


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
