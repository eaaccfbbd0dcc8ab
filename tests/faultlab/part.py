"""One part of a campaign: clients at work, faults of one kind, and the verdict on what happened."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from scripts.lib.bootstrap import ROOT
from tests.faultlab.cluster import Cluster
from tests.faultlab.faults import Enough, Fault, Lab, Struck, anything
from tests.faultlab.final import conclude, listen_to_logs
from tests.faultlab.history import History
from tests.faultlab.holdings import rest, warm_holdings
from tests.faultlab.load import RECOVERS_WITHIN_S, load

ROOMS = 5  # that live at the same time
CALM = {"sees_every_seq": True, "fault_grace_s": 0.0}  # a run without faults
# On a calm machine; the checker is told what they are on this one.
GRACES = {"host_grace_s": 20.0, "view_grace_s": 15.0, "fault_grace_s": 15.0, "alarm_grace_s": 5.0}
BETWEEN_S = (0.3, 1.2)  # clients work in peace
LOGS_EVERY_S = 0.5
CHECKED_WITHIN_S = 600
SECRETS = (r"pt_[\w-]{16,}", "dev-service-key-change-me", "dev-secret-key-change-me")
LOST = "I1"
VIOLATION = re.compile(r"(I\d+) (?:… and (\d+) more)?")


@dataclass
class Part:
    """What came of it."""

    kind: str
    struck: list[Struck] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)  # invariants, how often
    converged_s: float = 0.0
    verdict: str = ""

    @property
    def lost(self) -> int:
        """Acknowledged and not there."""
        return self.broken[LOST]

    @property
    def worst_recovery_s(self) -> float:
        return max((one.recovery_s for one in self.struck), default=0.0)


class Course(NamedTuple):
    """What is to happen. Durations are seconds."""

    kind: str
    strikes: Sequence[Fault] = ()
    stop_s: float = 30.0  # how long a SIGSTOP lasts
    enough: Enough = anything  # what has to be seen before a fault is repaired
    rooms: int = ROOMS
    peace_s: float = 1.0  # before the first fault
    rest_s: float = 0.0  # how long the processes have to let go of what they held for the clients
    meanwhile: Callable[[Lab], Awaitable[None]] | None = None  # what else is done


async def run_part(cluster: Cluster, course: Course, file: Path, chance: Random) -> Part:
    """Work, strike, and write everything into `file`; nobody has judged it yet."""
    history, part = History(file), Part(course.kind)
    graces = {name: usual_s * cluster.slowness for name, usual_s in GRACES.items()}
    history.write("run", **graces | ({} if course.strikes else CALM))
    before = await warm_holdings(cluster) if course.rest_s else {}
    listening = asyncio.create_task(_listen(cluster, history))
    try:
        async with load(cluster, history, chance, course.rooms) as clients:
            lab = Lab(cluster, history, clients, chance, course.stop_s, course.enough)
            await _strike(lab, course)
            part.struck, part.converged_s = lab.struck, await clients.hush()
            await clients.dismiss()
            await conclude(cluster, history, clients.callers)
        if course.rest_s:
            await rest(cluster, history, before, course.rest_s * cluster.slowness)
    finally:
        listening.cancel()
        listen_to_logs(cluster, history)
    part.outcomes = history.outcomes
    history.end()
    return part


async def _strike(lab: Lab, course: Course) -> None:
    await asyncio.sleep(course.peace_s)
    for strike in course.strikes:
        await strike(lab, lab.chance.choice(lab.cluster.usable))
        await lab.pause(BETWEEN_S)
    if course.meanwhile:
        await course.meanwhile(lab)


async def _listen(cluster: Cluster, history: History) -> None:
    while True:
        listen_to_logs(cluster, history)
        await asyncio.sleep(LOGS_EVERY_S)


def judge(part: Part, file: Path, *, keep: bool = False) -> Part:
    """Have the checker read the history. One without fault need not be kept."""
    secrets = [word for one in SECRETS for word in ("--secret", one)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faultlab.checker", str(file), *secrets],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=CHECKED_WITHIN_S,
    )
    part.verdict = done.stdout + done.stderr
    if done.returncode:
        part.broken = violations(part.verdict) or Counter({"unreadable": 1})
        file.with_suffix(".verdict").write_text(part.verdict)
    elif not keep:
        file.unlink()
    if part.worst_recovery_s >= RECOVERS_WITHIN_S:
        part.broken["recovery"] += 1
    return part


def violations(verdict: str) -> Counter[str]:
    """How often each invariant was broken."""
    found: Counter[str] = Counter()
    for line in verdict.splitlines():
        if match := VIOLATION.match(line):
            found[match[1]] += int(match[2] or 1)
    return found
