"""Programs that the lab starts: each ends with the lab, and can be stopped or killed by it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.lib.bootstrap import ROOT
from tests.support.servers import pipe, until

STARTED_WITHIN_S = 120.0


class CannotStart(Exception):
    """A program of the lab does not run; the message is the end of its log."""


class Child:
    """One program under a leader that ends it when the lab ends, however that ends."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command = [*command]
        self.log = log
        self.leader: subprocess.Popen[bytes] | None = None

    @property
    def dead(self) -> bool:
        return self.leader is None or self.leader.poll() is not None

    @property
    def pid(self) -> int:
        """Of the program itself, the leader's only child."""
        assert self.leader
        (found,) = children(self.leader.pid)
        return found

    def start(self, ready: Callable[[], bool]) -> None:
        """Start, and wait until it is `ready`. Raises CannotStart."""
        with self.log.open("ab") as log:
            self.leader = subprocess.Popen(
                [sys.executable, "-m", "scripts.lib.tier", *self.command],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(lambda: self.dead or ready(), STARTED_WITHIN_S)
        if self.dead:
            raise CannotStart(self.log.read_text(errors="replace")[-2000:])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> None:
        """Until it has ended by itself."""
        assert self.leader
        self.leader.wait(STARTED_WITHIN_S)

    def kill(self) -> None:
        """End the leader and the program, whatever they do."""
        if self.leader:
            with suppress(ProcessLookupError):
                os.killpg(self.leader.pid, signal.SIGKILL)
            self.leader.wait()
            pipe(self.leader.stdin).close()


def children(pid: int) -> list[int]:
    """The processes that this one has started and that have not ended."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(one) for one in text.split()]


def send(number: signal.Signals, *pids: int) -> None:
    """A signal for each of those that still live."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
