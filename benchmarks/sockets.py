"""Members in rooms: the client in C, what it says, and what its messages cost the servers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import cores
from benchmarks.load import NoFigures, compiled
from benchmarks.services import Running
from benchmarks.wire import Wire

Told = dict[str, Any]


class Crowd(NamedTuple):
    """How many members there are, and who of them speaks."""

    rooms: int
    members: int
    all_send: bool = False


class Members:
    """The client under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def hear(self, phase: str) -> Told:
        """What the client says of a phase. Raises NoFigures when it ends instead."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise NoFigures(f"no figures of {phase}: the line above says why.")
        told: Told = json.loads(line)
        assert told["phase"] == phase, told
        return told

    def leave(self) -> None:
        """End a `hold`."""
        assert self._process.stdin
        self._process.stdin.close()


@contextmanager
def members(
    running: Running, wire: Wire, crowd: Crowd, phases: Sequence[str], folder: Path
) -> Iterator[Members]:
    """Members who enter their rooms, and go through the phases. The client has ended afterwards."""
    command = [compiled("wsload"), "--members", seated(running, wire, crowd, folder)]
    command += ["--message", wire.message, "--senders", "all" if crowd.all_send else "first"]
    command += [*(["--binary"] if wire.binary else []), *each("--step", wire.steps)]
    command += [*each("--pids", groups(running)), *each("--phase", phases)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Members(process)
        finally:
            process.kill()


def measure(running: Running, wire: Wire, crowd: Crowd, phase: str, folder: Path) -> Told:
    """One phase, after which nobody stays."""
    before = {name: set(find()) for name, find in running.processes.items()}
    with members(running, wire, crowd, [phase], folder) as client:
        client.hear("open")
        running.confine()
        told = client.hear(phase.partition(":")[0])
    for name, find in running.processes.items():  # what was started meanwhile worked for it too
        told["cpu_s"][name] += cores.cpu_s(set(find()) - before[name])
    return told


def seated(running: Running, wire: Wire, crowd: Crowd, folder: Path) -> str:
    """A file with a seat for everybody."""
    file = folder / "members"
    seats = wire.seats(running.ports[0], crowd.rooms, crowd.members)
    file.write_text("".join(f"{seat.room}\t{seat.url}\t{seat.key}\n" for seat in seats))
    return str(file)


def groups(running: Running) -> list[str]:
    found = {name: ",".join(map(str, find())) for name, find in running.processes.items()}
    return [f"{name}={pids}" for name, pids in found.items()]


def each(option: str, values: Sequence[str]) -> Iterator[str]:
    for value in values:
        yield from (option, value)
