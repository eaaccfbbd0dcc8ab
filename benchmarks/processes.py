"""`processes`: what one realtime process does, and what two do that share PostgreSQL and Redis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple, TypeAlias
from uuid import uuid4

import httpx
import redis

from benchmarks import CLIENT_COUNT, cores, databases, machine
from benchmarks.databases import Kept
from benchmarks.figures import Round, medians, ratio, shares, side, spread, table
from benchmarks.load import WARM_S, NoFigures, load
from benchmarks.services import SWITCHES, Running, Workload
from benchmarks.watchers import Watchers
from config.env import DEV_SERVICE_KEY
from scripts.lib.bootstrap import say
from tests.support.databases import PostgresDatabase
from tests.support.servers import free_port, server
from tests.support.services import POSTGRESQL, REDIS, postgresql, redis_server

AUTHORIZATION = f"Authorization: Bearer {DEV_SERVICE_KEY}"
HEAD = ["requests/s", "p50 / p99 / worst, ms", "CPU, us/request", "commits / transactions per turn"]
WATCHED_BYTES = 1000  # who got less was told of nothing

Routes: TypeAlias = Literal["sticky", "any"]


class Measured(NamedTuple):
    """One round, and what came of it in the database."""

    load: Round
    kept: Kept


class Case(NamedTuple):
    """One row of a table."""

    name: str
    processes: int
    measure: Callable[[Running, float], Round]
    with_redis: bool = True


Sections: TypeAlias = Mapping[str, Sequence[Case]]


def measure(folder: Path, rounds: int, seconds: float) -> None:
    """Every case once a round, then each again; then a table for each section."""
    with scratch() as template:
        describe(rounds, seconds)
        measured: dict[Case, list[Measured]] = defaultdict(list)
        for number in range(1, rounds + 1):
            for case in [one for cases in SECTIONS.values() for one in cases]:
                one = run(case, template, folder, seconds)
                measured[case].append(one)
                say(f"round {number}, {case.name}: {one.load.requests_per_s:,.0f} requests/s")
    for title, cases in SECTIONS.items():
        print(f"\n{title}\n")
        print(section(title, {case.name: measured[case] for case in cases}))


@contextmanager
def scratch() -> Iterator[PostgresDatabase]:
    """A database with tables, of which every case gets a copy."""
    url = postgresql()
    missing = [name for name, found in ((POSTGRESQL, url), (REDIS, redis_server())) if not found]
    if missing or not url:
        raise NoFigures(f"several processes need {' and '.join(missing)}.")
    with PostgresDatabase.scratch(url) as template:
        databases.migrate(template)
        yield template


def describe(rounds: int, seconds: float) -> None:
    machine.fact("Redis", str(redis_facts()["redis_version"]))
    machine.fact("switches", ", ".join(f"{name}={value}" for name, value in SWITCHES.items()))
    machine.fact(
        "cores",
        f"{len(cores.CORES)}, shared by processes, PostgreSQL and Redis; the client on the last",
    )
    machine.fact(
        "work",
        f"{CLIENT_COUNT} clients, or as a row says, straight to the realtime service; medians of"
        f" {rounds} rounds of {seconds:g} s after {WARM_S:g} s",
    )


def run(case: Case, template: PostgresDatabase, folder: Path, seconds: float) -> Measured:
    with template.copy(folder) as database:
        with started(case, database, folder) as running:
            measured = case.measure(running, seconds)
        return Measured(measured, databases.kept(database))


@contextmanager
def started(case: Case, database: PostgresDatabase, folder: Path) -> Iterator[Running]:
    """The processes, on any core; they have ended after the block."""
    shared = {**database.environ, **SWITCHES}
    if case.with_redis:
        shared["REDIS_URL"] = str(redis_server())
    ports = [{"REALTIME_PORT": str(free_port())} for _ in range(case.processes)]
    with ExitStack() as stack, cores.unpinned():
        servers = [stack.enter_context(server("realtime", shared | one, folder)) for one in ports]
        with cores.pinned(cores.CLIENTS):
            yield Running(
                tuple(one.port for one in servers),
                {
                    "realtime": lambda: [
                        pid for one in servers for pid in cores.group(one.leader.pid)
                    ],
                    "PostgreSQL": partial(databases.workers, database),
                    "Redis": lambda: [int(redis_facts()["process_id"])] if case.with_redis else [],
                },
            )
        for one in servers:
            one.stop()


def redis_facts() -> dict[str, str | int]:
    with redis.Redis.from_url(str(redis_server())) as client:
        facts: dict[str, str | int] = client.info("server")
        return facts


# What the clients do. Room ids are new each time: the names of Redis's channels come from them, and
# others may use the same Redis.


def distinct_rooms(routes: Routes, clients: int, running: Running, seconds: float) -> Round:
    """A room is created, and joined three times; nobody is connected."""
    name = new_name()
    create = register(f"{name}-%R", username="host", host=True)
    join = register(f"{name}-%R", username="player %J")
    workload = Workload(create, "", join, header=AUTHORIZATION, routes=routes, clients=clients)
    return load(running, workload, seconds)


def watched_rooms(routes: Routes, running: Running, seconds: float) -> Round:
    """Each client's own room is joined and left; two members are connected, to one process or to
    both."""
    name, watchers = new_name(), Watchers()
    for client in range(CLIENT_COUNT):
        for number in range(2):
            port = running.ports[number % len(running.ports)]
            token = admit(port, f"{name}-{client}", f"watcher {number}", host=number == 0)
            watchers.enter(port, f"/parties/leet99/{name}-{client}", token)
    with watchers.reading():
        measured = load(running, coming_and_going(f"{name}-%C", routes), seconds)
    if watchers.least_bytes < WATCHED_BYTES:
        raise NoFigures("a socket was not told what happened in its room. There are no figures.")
    return measured


def hot_room(running: Running, seconds: float) -> Round:
    """All clients join and leave one room; nobody is connected."""
    name = new_name()
    admit(running.ports[0], name, "host", host=True)
    return load(running, coming_and_going(name, "sticky"), seconds)


def coming_and_going(room: str, routes: Routes) -> Workload:
    join = register(room, username="player %R", player="%R")
    leave = f'POST /parties/leet99/{room}/control {{"action":"remove","playerId":"p_%R"}}'
    return Workload(join, "", leave, joins=1, header=AUTHORIZATION, routes=routes)


def new_name() -> str:
    return f"bench-{uuid4().hex[:12]}"


def register(room: str, *, username: str, player: str = "%N", host: bool = False) -> str:
    return f"POST /parties/leet99/{room}/register {body(username, player, host)}"


def body(username: str, player: str, host: bool) -> str:
    return (
        f'{{"playerId":"p_{player}","playerToken":"token-of-{player}","username":"{username}",'
        f'"role":"player","isHost":{"true" if host else "false"},"settings":{{"playerCap":99}}}}'
    )


def admit(port: int, room: str, username: str, *, host: bool) -> str:
    """Register one player. Returns the token."""
    player = uuid4().hex
    url = f"http://127.0.0.1:{port}/parties/leet99/{room}/register"
    kind, _, key = AUTHORIZATION.partition(": ")
    headers = {kind: key, "Content-Type": "application/json"}
    httpx.post(url, content=body(username, player, host), headers=headers).raise_for_status()
    return f"token-of-{player}"


DISTINCT = "Distinct rooms: create, join 3 times"
WATCHED = "Watched rooms: join and leave, two sockets in each room"
HOT = "One hot room: join and leave, all clients"

STICKY = partial(distinct_rooms, "sticky", CLIENT_COUNT)
STICKY_64 = partial(distinct_rooms, "sticky", 2 * CLIENT_COUNT)

SECTIONS: Sections = {
    DISTINCT: [
        Case("1 process, no Redis", 1, STICKY, with_redis=False),
        Case("1 process", 1, STICKY),
        Case("2, a room's calls to one", 2, STICKY),
        Case("2, each call to any", 2, partial(distinct_rooms, "any", CLIENT_COUNT)),
        Case("1 process, 64 clients", 1, STICKY_64),
        Case("2, a room's calls to one, 64 clients", 2, STICKY_64),
    ],
    WATCHED: [
        Case("1 process, both sockets", 1, partial(watched_rooms, "sticky")),
        Case("2, a socket each, calls to one", 2, partial(watched_rooms, "sticky")),
        Case("2, a socket each, calls to any", 2, partial(watched_rooms, "any")),
    ],
    HOT: [
        Case("1 process, all clients", 1, hot_room),
        Case("2, half the clients each", 2, hot_room),
    ],
}


def section(title: str, measured: Mapping[str, list[Measured]]) -> str:
    """A table: times are how many times the first row's requests."""
    first = next(iter(measured.values()))
    head, cells = ["", *HEAD, "cores busy", "times"], row
    if title == HOT:
        head, cells = [*head, "first half: p50 / p99 / worst", "second half"], row_with_sides
    return table(head, [cells(name, ours, first) for name, ours in measured.items()])


def row(name: str, ours: Sequence[Measured], first: Sequence[Measured]) -> list[str]:
    loads = [one.load for one in ours]
    ms = medians([one.latencies_ms for one in loads])
    return [
        name,
        spread([one.requests_per_s for one in loads]),
        " / ".join(f"{ms[f'join {which}']:.1f}" for which in ("p50", "p99", "worst")),
        shares(medians([one.cpu_us for one in loads])),
        per_turn([one.kept for one in ours]),
        f"{median(one.busy_cores for one in loads):.2f}",
        ratio(loads, [one.load for one in first]),
    ]


def row_with_sides(name: str, ours: Sequence[Measured], first: Sequence[Measured]) -> list[str]:
    sides = [side(each) for each in zip(*(one.load.sides for one in ours), strict=True)]
    return [*row(name, ours, first), *(sides if len(sides) == 2 else ["", ""])]


def per_turn(rounds: Sequence[Kept]) -> str:
    """`0.08 / 0.11`: commits, and transactions, for each turn."""
    commits = median(one.commits / one.turns for one in rounds)
    transactions = median(one.transactions / one.turns for one in rounds)
    return f"{commits:.2f} / {transactions:.2f}"
