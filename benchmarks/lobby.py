"""`lobby`: create and join through both tiers, each round on servers of its own."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from benchmarks import CLIENT_COUNT, JOINS, databases, machine
from benchmarks.cores import CLIENTS, SERVERS
from benchmarks.figures import HEAD, Round, row, table
from benchmarks.load import WARM_S, load
from benchmarks.services import Service, greenroom, switches
from scripts.lib.bootstrap import say

Rounds = dict[str, list[Round]]


def measure(folder: Path, rounds: int, seconds: float) -> None:
    """Greenroom on each database there is."""
    measured = run(services(), folder, rounds, seconds)
    print(table(HEAD, [row(name, ours) for name, ours in measured.items()]))


def services() -> list[Service]:
    """Greenroom on every kind of database that this machine has."""
    kinds = databases.available().items()
    return [greenroom(f"Greenroom, {kind}", make) for kind, make in kinds]


def run(services: list[Service], folder: Path, rounds: int, seconds: float) -> Rounds:
    """Every service once a round: what changes on the machine meanwhile changes for all."""
    describe(rounds, seconds)
    measured: Rounds = defaultdict(list)
    for number in range(1, rounds + 1):
        for service in services:
            assert service.lobby
            with service.start(folder) as running:
                one = load(running, service.lobby, seconds)
            measured[service.name].append(one)
            say(f"round {number}, {service.name}: {one.requests_per_s:,.0f} requests/s")
    return measured


def describe(rounds: int, seconds: float) -> None:
    machine.fact("switches", switches())
    machine.fact(
        "cores",
        f"services on {SERVERS}, client on {CLIENTS}, PostgreSQL's connections on "
        f"{SERVERS} where this user may say so",
    )
    machine.fact(
        "work",
        f"{CLIENT_COUNT} clients, each: create a room, join it {JOINS} times, again; "
        f"medians of {rounds} rounds of {seconds:g} s after {WARM_S:g} s\n",
    )
