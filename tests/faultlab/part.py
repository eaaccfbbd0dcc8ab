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

from scripts.lib.bootstrap import ROOT
from tests.faultlab.cluster import Cluster
from tests.faultlab.faults import Fault, Lab, Struck
from tests.faultlab.final import conclude, listen_to_logs
from tests.faultlab.history import History
from tests.faultlab.holdings import rest, warm_holdings
from tests.faultlab.load import load

ROOMS = 5  # that live at the same time
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


async def run_part(
    cluster: Cluster,
    kind: str,
    strikes: Sequence[Fault],
    file: Path,
    chance: Random,
    *,
    stop_s: float = 30.0,
    rooms: int = ROOMS,
    peace_s: float = 1.0,
    rest_s: float = 0.0,
    meanwhile: Callable[[Lab], Awaitable[None]] | None = None,
) -> Part:
    """Work, strike, and write everything into `file`; nobody has judged it yet.

    With `rest_s`, the processes have that long to let go of what they held for the clients.
    """
    history, part = History(file), Part(kind)
    calm = {"sees_every_seq": True, "fault_grace_s": 0.0}
    history.write("run", **({} if strikes else calm))
    before = await warm_holdings(cluster) if rest_s else {}
    listening = asyncio.create_task(_listen(cluster, history))
    try:
        async with load(cluster, history, chance, rooms) as clients:
            lab = Lab(cluster, history, clients, chance, stop_s)
            await asyncio.sleep(peace_s)
            for strike in strikes:
                await strike(lab, chance.choice(cluster.usable))
                await lab.pause(BETWEEN_S)
            if meanwhile:
                await meanwhile(lab)
            part.converged_s = await clients.hush()
            part.struck = lab.struck
            clients.dismiss()
            await clients.all_gone()
            await conclude(cluster, history, clients.callers)
        if rest_s:
            await rest(cluster, history, before, rest_s)
    finally:
        listening.cancel()
        listen_to_logs(cluster, history)
    part.outcomes = history.outcomes
    history.end()
    return part


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
    return part


def violations(verdict: str) -> Counter[str]:
    """How often each invariant was broken."""
    found: Counter[str] = Counter()
    for line in verdict.splitlines():
        if match := VIOLATION.match(line):
            found[match[1]] += int(match[2] or 1)
    return found
