"""What is measured: Greenroom as `scripts/serve` runs it, and a peer, each on the servers' core."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks import CLIENT_COUNT, JOINS, cores, databases
from benchmarks.cores import SERVERS, pinned
from benchmarks.databases import Make
from scripts.lib.bootstrap import ROOT
from scripts.lib.tier import Tier
from tests.support.servers import free_port, server, until

SWITCHES = {"RATE_LIMITS": "off", "VERIFY_STATE": "off"}  # all else is as it comes
COLYSEUS_SERVER = ROOT / "benchmarks" / "peers" / "colyseus_rooms.js"


class Workload(NamedTuple):
    """The client's requests, in its own words: see client/httpload.c."""

    create: str
    key: str
    join: str
    joins: int = JOINS
    clients: int = CLIENT_COUNT
    header: str = ""
    routes: Literal["sticky", "any"] = "sticky"


@dataclass(frozen=True)
class Running:
    """A service under way: where it answers, and which processes work for it."""

    ports: tuple[int, ...]
    processes: dict[str, Callable[[], list[int]]]

    def cpu_s(self) -> dict[str, float]:
        """CPU time so far, by what took it."""
        return {name: cores.cpu_s(find()) for name, find in self.processes.items()}


class Service(NamedTuple):
    """One row of the table."""

    name: str
    workload: Workload
    start: Callable[[Path], AbstractContextManager[Running]]


def greenroom(name: str, make: Make) -> Service:
    """Both tiers, on a database of its own."""
    workload = Workload(
        create='POST /api/rooms {"username":"host","settings":{"playerCap":8}}',
        key='"roomId":"',
        join='POST /api/rooms/%K/join {"username":"player %J"}',
    )
    return Service(name, workload, partial(_greenroom, make))


@contextmanager
def _greenroom(make: Make, folder: Path) -> Iterator[Running]:
    with make(folder) as database, ExitStack() as started:
        ports = {"LOBBY_PORT": str(free_port()), "REALTIME_PORT": str(free_port())}
        environ = {**database.environ, **SWITCHES, **ports}
        with pinned(SERVERS):
            realtime = started.enter_context(server("realtime", environ, folder))
            lobby = started.enter_context(server("lobby", environ, folder))
        yield Running(
            (lobby.port,),
            {
                "lobby": partial(cores.group, lobby.leader.pid),
                "realtime": partial(cores.group, realtime.leader.pid),
                "PostgreSQL": partial(databases.workers, database),
            },
        )
        lobby.stop()
        realtime.stop()


def colyseus(node_folder: Path) -> Service:
    """Colyseus with rooms of eight seats in memory, from the node_modules in a folder."""
    workload = Workload(
        create="POST /matchmake/create/lobby {}",
        key='"roomId":"',
        join="POST /matchmake/joinById/%K {}",
    )
    return Service("Colyseus", workload, partial(_colyseus, node_folder))


@contextmanager
def _colyseus(node_folder: Path, folder: Path) -> Iterator[Running]:
    port = free_port()
    peer = Peer("Colyseus", "127.0.0.1", port, [str(COLYSEUS_SERVER), str(port)])
    modules = str(node_folder / "node_modules")
    with pinned(SERVERS):
        peer.start("node", {**os.environ, "NODE_PATH": modules, "NODE_ENV": "production"})
    try:
        until(peer.ready)
        yield Running((port,), {"Colyseus": partial(cores.group, peer.leader.pid)})
        peer.ask_to_stop()
        peer.wait()
    finally:
        peer.kill()


class Peer(Tier):
    """A server that is ready when it listens."""

    def ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0
