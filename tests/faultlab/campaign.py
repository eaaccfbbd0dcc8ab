"""Many parts on one cluster, each with its kind of fault, and the table of what came of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.faultlab.cluster import AS_THEY_COME, Cluster, cluster
from tests.faultlab.faults import FAULTS, Fault
from tests.faultlab.part import Course, Part, judge, run_part

MIXED = "mixed"  # any fault of any kind, but those that take long
NONE = "none"  # no fault at all: every frame arrives, and nothing is left behind
PEACE_S, REST_S = 10.0, 15.0  # of a part without faults
STRIKES = {"stop": 4}  # in one part; of every other kind:
STRIKES_ELSE = 10
HEADS = "fault|times|operations|acknowledged|refused|unknown|lost|broken|recovery, s"


class Plan(NamedTuple):
    """How often each kind of fault is injected, and where."""

    rounds: Mapping[str, int]
    processes: int = 2
    seed: int = 1
    stop_s: float = 30.0


class Line(NamedTuple):
    """A line of the table: one kind of fault, or all of them."""

    name: str
    parts: list[Part]

    def __str__(self) -> str:
        outcomes = sum((part.outcomes for part in self.parts), Counter())
        cells = [
            self.name,
            sum(len(part.struck) for part in self.parts),
            outcomes.total(),
            *(outcomes[one] for one in ("ok", "err", "unknown")),
            sum(part.lost for part in self.parts),
            sum(part.broken.total() for part in self.parts),
            f"{max(part.worst_recovery_s for part in self.parts):.1f}",
        ]
        return "| " + " | ".join(map(str, cells)) + " |"


def campaign(plan: Plan, folder: Path) -> Iterator[Part]:
    """Run and judge part after part; histories of those that broke a rule stay in `folder`."""
    with cluster(plan.processes, folder, **AS_THEY_COME) as site, ThreadPoolExecutor(1) as checker:
        waiting: list[Future[Part]] = []
        for number, (kind, strikes) in enumerate(parts_of(plan)):
            file = folder / f"{number:03}-{kind}.jsonl"
            waiting.append(checker.submit(judge, _run(site, plan, kind, strikes, file), file))
            while waiting and waiting[0].done():
                yield waiting.pop(0).result()
        for one in waiting:
            yield one.result()


def _run(site: Cluster, plan: Plan, kind: str, strikes: list[Fault], file: Path) -> Part:
    chance = Random(f"{plan.seed} {file.stem}")
    course = Course(kind, strikes, plan.stop_s)
    if not strikes:
        course = course._replace(peace_s=PEACE_S, rest_s=REST_S)
    return asyncio.run(run_part(site, course, file, chance))


def parts_of(plan: Plan) -> Iterator[tuple[str, list[Fault]]]:
    """Each kind in parts of some strikes; the ways of a kind take turns."""
    chance = Random(plan.seed)
    for kind, rounds in plan.rounds.items():
        if kind == NONE:
            yield from [(kind, [])] * rounds
            continue
        left = list(islice(cycle(_ways(kind)), rounds))
        chance.shuffle(left)
        size = STRIKES.get(kind, STRIKES_ELSE)
        while left:
            yield kind, left[:size]
            left = left[size:]


def _ways(kind: str) -> list[Fault]:
    if kind != MIXED:
        return FAULTS[kind]
    return [one for name, faults in FAULTS.items() if name != "stop" for one in faults]


def table(parts: Iterable[Part]) -> str:
    """What every kind of fault has cost, as Markdown."""
    found = list(parts)
    kinds = dict.fromkeys(part.kind for part in found)
    lines = [Line(kind, [part for part in found if part.kind == kind]) for kind in kinds]
    heads = HEADS.split("|")
    rule = "|--" + "|--:" * (len(heads) - 1) + "|"
    total = [Line("all", found)] if len(lines) > 1 else []
    return "\n".join(["| " + " | ".join(heads) + " |", rule, *map(str, [*lines, *total])])
