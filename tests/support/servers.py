"""The real services as processes on free ports; they end with the tests, however those end."""

from __future__ import annotations

import itertools
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, AnyStr, Self

from config import env
from scripts.lib.bootstrap import ROOT
from scripts.lib.fleet import tiers_of
from scripts.lib.tier import Tier

# Only so that nothing hangs for ever: a test whose outcome depends on one of these shows nothing.
READY_WITHIN_S = 90.0
PATIENCE_S = 60.0
LOOK_EVERY_S = 0.02
# A busy machine may need longer than the defaults for what takes a moment on another: a server is
# patient, unless its test is about one of these limits and names it.
PATIENT = {
    "COMMIT_DEADLINE_S": "30",
    "JOIN_TIMEOUT_S": "60",
    "REALTIME_CONNECT_TIMEOUT_S": "30",
    "REALTIME_TRY_TIMEOUT_S": "40",
    "REALTIME_TOTAL_TIMEOUT_S": "81",
    "SOCKET_PATIENCE_S": "30",
}
# Below what systems hand out to outgoing connections: a port stays free while its server is down,
# and nobody who calls it then is connected to itself.
PORTS = range(20_000, 30_000)

WARNED = {"PYTHONWARNINGS": "default"}  # every warning is logged; tests/e2e/conftest.py refuses it

running: list[Server] = []
numbers = itertools.count(1)


@dataclass(kw_only=True, repr=False)
class Server(Tier):
    """One tier with its environment and its log. It may be killed, and start again on its port."""

    environ: dict[str, str]
    folder: Path
    log: Path = field(init=False)
    started_s: float = field(default=0.0, init=False)  # what the last start took
    _read_bytes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / f"{self.name}-{next(numbers)}.log"

    def __enter__(self) -> Self:
        running.append(self)
        try:
            self.up()
        except BaseException:
            running.remove(self)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        running.remove(self)

    def that_runs(self, *arguments: str) -> Server:
        """The same tier in the same place, run by another program."""
        return replace(self, arguments=[*arguments])

    def with_environ(self, **environ: str) -> Server:
        """The same tier with other settings."""
        return server(self.name, {**self.environ, **environ}, self.folder)

    def up(self) -> float:
        """Start, and wait for /readyz. Returns how long that took, in seconds."""
        started = time.monotonic()
        self.launch()
        try:
            until(lambda: self.ready() or self.dead, READY_WITHIN_S)
            assert not self.dead, f"{self.name} died:\n{self.said}"
        except BaseException:
            self.kill()
            raise
        self.started_s = time.monotonic() - started
        return self.started_s

    def launch(self) -> None:
        """Start, and ask nothing of it."""
        with self.log.open("ab") as log:
            self.leader = subprocess.Popen(
                [sys.executable, "-m", "scripts.lib.tier", sys.executable, *self.arguments],
                cwd=ROOT,
                env={**bare_environ(), **WARNED, **self.environ, "GREENROOM_TIER": self.name},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> float:
        """Send SIGTERM, and wait for the end. Returns how long that took, in seconds."""
        asked = time.monotonic()
        self.ask_to_stop()
        self.wait()
        return time.monotonic() - asked

    def __repr__(self) -> str:
        return f"<{self.name} on {self.port}>"

    @property
    def dead(self) -> bool:
        return self.leader.poll() is not None

    @property
    def said(self) -> str:
        """The log so far."""
        return self.log.read_text(errors="replace")

    def news(self) -> str:
        """What was logged since the last time somebody asked."""
        with self.log.open("rb") as log:
            log.seek(self._read_bytes)
            news = log.read()
        self._read_bytes += len(news)
        return news.decode(errors="replace")


def server(tier: str, environ: Mapping[str, str], folder: Path) -> Server:
    """A tier as `scripts/serve` starts it, but PATIENT; `with` starts and ends it."""
    environ = {**PATIENT, **environ}
    (found,) = (one for one in tiers_of(env.load(environ)) if one.name == tier)
    return Server(
        tier, found.host, found.port, found.arguments, environ=dict(environ), folder=folder
    )


def until(condition: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait for something that tells nobody when it happens."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "this never happened"
        time.sleep(LOOK_EVERY_S)


def pipe(end: IO[AnyStr] | None) -> IO[AnyStr]:
    """An end that was asked for when its process was started."""
    assert end
    return end


def bare_environ() -> dict[str, str]:
    """The tests' own environment without what it says about Greenroom."""
    ours = {variable.name for variable in env.VARIABLES.values()}
    return {name: value for name, value in os.environ.items() if name not in ours}


def free_port(count: int = 1) -> int:
    """The first of `count` ports in a row that nobody listens on.

    No other run of tests on this machine gets them as well: UDP sockets of the same numbers, which
    no server uses, reserve them until this process ends.
    """
    for first in random.sample(PORTS, len(PORTS)):
        with ExitStack() as kept, suppress(OSError):
            reserved = [kept.enter_context(reservation(first + n)) for n in range(count)]
            for one in reserved:
                one.detach()
            return first
    raise AssertionError("every port is taken")


def reservation(port: int) -> socket.socket:
    """A socket that reserves this port for as long as it is open. Raises OSError when it is taken
    or reserved."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    reserved = socket.socket(type=socket.SOCK_DGRAM)
    try:
        reserved.bind(("127.0.0.1", port))
    except OSError:
        reserved.close()
        raise
    return reserved
