"""`compare`: Greenroom and other room services side by side, one core for each in its turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks import claims, databases, machine, others
from benchmarks.claims import POSTGRESQL, SQLITE
from benchmarks.contests import Contest, Measured, contests, section
from benchmarks.cores import CLIENTS, SERVERS
from benchmarks.load import NoFigures
from benchmarks.services import Service, greenroom, switches
from scripts.lib.bootstrap import say

IDLE = 3000
SOCKETS = ("ws", "socket.io", "colyseus", "partyserver", "channels-redis", "channels-memory", "bun")
FIELD: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # ours and theirs, by contest
    "burst": ((SQLITE,), SOCKETS),
    "kept": ((SQLITE, POSTGRESQL), ("ws",)),
    "paced": ((SQLITE,), ("ws",)),
    "rooms": ((SQLITE,), ("ws", "colyseus")),
    "idle": ((SQLITE,), ("ws",)),
    "lobby": ((SQLITE, POSTGRESQL), ("colyseus", "node-workerd")),
}
PEERS = tuple(dict.fromkeys(name for _, theirs in FIELD.values() for name in theirs))

Plan = dict[str, list[Service]]  # by contest
Rounds = dict[str, dict[str, list[Measured]]]  # by contest, then by service


def compare(
    folder: Path,
    rounds: int,
    seconds: float,
    only: Sequence[str] = tuple(FIELD),
    peers: Sequence[str] = PEERS,
    idle: int = IDLE,
) -> None:
    """The contests' tables, then what was to be reached."""
    field, held = plan(only, peers), contests(seconds, idle)
    describe(rounds, seconds)
    measured = run(field, held, folder, rounds)
    for name, services in measured.items():
        print(f"\n{held[name].title}\n\n{section(held[name], services)}")
    print(f"\nTimes the peer's figure: medians of the rounds' ratios\n\n{claims.judged(measured)}")


def plan(only: Sequence[str], peers: Sequence[str]) -> Plan:
    """Who takes part in what; who can't is left out, and a line says why."""
    ours, theirs = own(), present(others.services(), peers)
    return {
        name: [
            *(ours[one] for one in FIELD[name][0] if one in ours),
            *(theirs[one] for one in FIELD[name][1] if one in theirs),
        ]
        for name in FIELD
        if name in only
    }


def own() -> dict[str, Service]:
    """Greenroom on every kind of database that this machine has."""
    makes = {f"Greenroom, {kind}": make for kind, make in databases.available().items()}
    return {name: greenroom(name, make) for name, make in makes.items()}


def present(services: Mapping[str, Service], names: Sequence[str]) -> dict[str, Service]:
    asked = {name: one for name, one in services.items() if name in names}
    absent = sorted((one.lacks, one.name) for one in asked.values() if one.lacks)
    for reason, group in groupby(absent, key=lambda one: one[0]):
        machine.fact("left out", f"{', '.join(name for _, name in group)}: {reason}")
    return {name: one for name, one in asked.items() if not one.lacks}


def run(field: Plan, held: Mapping[str, Contest], folder: Path, rounds: int) -> Rounds:
    """Every contest once a round, and in it every service: what changes on the machine meanwhile
    changes for all."""
    measured: Rounds = {name: defaultdict(list) for name in field}
    for number in range(1, rounds + 1):
        for name, service in each(field):
            say(f"round {number}, {name}: {service.name} …")
            earlier = measured[name][service.name]
            earlier.append(one_round(held[name], service, folder, earlier))
    return measured


def one_round(
    contest: Contest, service: Service, folder: Path, earlier: Sequence[Measured]
) -> Measured:
    try:
        one = contest.measure(service, folder, earlier)
    except OSError as problem:
        raise NoFigures(f"{service.name} failed: {problem}") from None
    shown = [
        f"{value:,.{contest.decimals.get(name, 0)}f} {name}" for name, value in one.figures.items()
    ]
    say(f"    {'; '.join(shown)}")
    return one


def each(field: Plan) -> Iterable[tuple[str, Service]]:
    return ((name, service) for name, services in field.items() for service in services)


def describe(rounds: int, seconds: float) -> None:
    machine.fact("peers", others.versions())
    machine.fact("switches", switches())
    machine.fact(
        "cores",
        f"each service with all its processes on {SERVERS}, client on {CLIENTS}; "
        f"PostgreSQL's connections on {SERVERS} where this user may say so, else on any",
    )
    machine.fact("rounds", f"medians of {rounds} rounds of {seconds:g} s, after a second or two")
