"""Everything that a Greenroom of several processes is made of, each part of it breakable."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.faultlab.doomed_points import DOOM
from tests.faultlab.node import Node
from tests.faultlab.postgres import Postgres
from tests.faultlab.postgres import programs as postgres_programs
from tests.faultlab.proxy import Network, Proxy
from tests.faultlab.redis_server import PROGRAM as REDIS
from tests.faultlab.redis_server import RedisServer
from tests.support.databases import PostgresDatabase, manage
from tests.support.servers import PATIENT, Server, free_port, server
from tests.support.skewed_realtime import SKEW, set_clock

DOOMED = ("-m", "tests.faultlab.doomed_realtime")
# No limit for a single address, and rooms are forgotten soon, so that they are loaded often.
# The rest is longer than the default, so that on a busy machine only faults cost answers.
SETTINGS = {
    "RATE_LIMITS": "off",
    "ROOM_IDLE_S": "5",
    "COMMIT_DEADLINE_S": "5",
    "REALTIME_CONNECT_TIMEOUT_S": "5",
    "REALTIME_TRY_TIMEOUT_S": "6",
    "REALTIME_TOTAL_TIMEOUT_S": "12.5",
}
AS_THEY_COME: Any = dict.fromkeys(PATIENT, "")
CALM_START_S = 2.0  # what processes take to start together on a machine with nothing else to do


@dataclass
class Cluster:
    """PostgreSQL, Redis, and realtime processes that share them, each behind a lobby."""

    postgres: Postgres
    redis: RedisServer
    nodes: list[Node]
    folder: Path

    @property
    def usable(self) -> list[Node]:
        """The nodes that it makes sense to call; all of them when none is well."""
        return [node for node in self.nodes if node.usable] or self.nodes

    @property
    def logs(self) -> str:
        return "\n".join(text for node in self.nodes for text in node.logs)

    @property
    def slowness(self) -> float:
        """What to multiply times by that hold on a calm machine: twice what was measured here."""
        started_s = max(node.realtime.started_s for node in self.nodes)
        return 2 * max(1.0, started_s / CALM_START_S)


def missing() -> str:
    """What the lab needs and this machine has not; empty when it is complete."""
    if not postgres_programs():
        return "PostgreSQL's own programs (initdb)"
    if not shutil.which(REDIS):
        return REDIS
    return ""


@contextmanager
def cluster(
    processes: int,
    folder: Path,
    *,
    program: tuple[str, ...] = DOOMED,
    **environ: str,
) -> Iterator[Cluster]:
    """Start all of it; `environ` are settings of every process, `program` is the realtime one."""
    with ExitStack() as stack:
        postgres, redis = stack.enter_context(Postgres()), stack.enter_context(RedisServer())
        manage(PostgresDatabase(postgres.url), "migrate", "--noinput", "--verbosity=0")
        postgres.allow_references()
        network = stack.enter_context(Network())
        build = Builder(postgres, redis, network, folder, program, {**SETTINGS, **environ})
        nodes = [build.node(number) for number in range(processes)]
        tiers = [tier for node in nodes for tier in (node.realtime, node.lobby)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda tier: stack.enter_context(tier), tiers))
        yield Cluster(postgres, redis, nodes, folder)


@dataclass
class Builder:
    """Plans nodes; each has proxies of its own on all of its ways."""

    postgres: Postgres
    redis: RedisServer
    network: Network
    folder: Path
    program: tuple[str, ...]
    environ: dict[str, str]

    def node(self, number: int) -> Node:
        doom, skew = self.folder / f"doom-{number}", self.folder / f"skew-{number}"
        set_clock(skew, 0)
        port = free_port()
        ways = {name: self.network.proxy(there) for name, there in self._upstream(port).items()}
        places = {
            "REALTIME_PORT": str(port),
            "LOBBY_PORT": str(free_port()),
            "REALTIME_URL": f"http://127.0.0.1:{ways['lobby'].port}",
            "REALTIME_PUBLIC_URL": f"http://127.0.0.1:{ways['clients'].port}",
            "DATABASE_URL": through(ways["database"], self.postgres.url),
            "REDIS_URL": through(ways["redis"], self.redis.url),
            DOOM: str(doom),
            SKEW: str(skew),
        }
        realtime = self._server("realtime", places).that_runs(*self.program)
        return Node(f"r{number}", realtime, self._server("lobby", places), doom, skew, ways)

    def _upstream(self, port: int) -> dict[str, int]:
        """Where each way leads."""
        storage = {"database": self.postgres.port, "redis": self.redis.port}
        return {"lobby": port, "clients": port, **storage}

    def _server(self, tier: str, places: dict[str, str]) -> Server:
        return server(tier, {**self.environ, **places}, self.folder)


def through(way: Proxy, url: str) -> str:
    """The same address, reached by this way."""
    port = urlsplit(url).port
    return url.replace(f":{port}/", f":{way.port}/")
