"""What services are compared at: how each is measured once, and what is shown of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import CLIENT_COUNT, JOINS
from benchmarks.figures import Round, shares, spread, table
from benchmarks.load import load
from benchmarks.services import Running, Service
from benchmarks.sockets import Crowd, Told, measure, members
from benchmarks.wire import MESSAGE_BYTES, Wire

ONE_ROOM = Crowd(rooms=1, members=99)
MANY_ROOMS = Crowd(rooms=100, members=10, all_send=True)
IDLE_MEMBERS = 10  # of each room
WINDOW = 50
PACE_PER_S = 200
LATE_MS = 100
MEMORY_AFTER_S = 1.5  # what is freed late is not held

DELIVERIES, HANDSHAKES, REQUESTS = "deliveries/s", "handshakes/s", "requests/s"
ENTERED, MEMORY, MEMORY_BEFORE = "JOIN_ROOMs/s", "KiB/socket", "MiB before"
P50, P99, SERVER, CLIENT = "p50, ms", "p99, ms", "server, %", "client, %"
CPU = "CPU, us"


class Measured(NamedTuple):
    """One round of a service. CPU is that of a delivery, a handshake or a request."""

    figures: dict[str, float]
    cpu_us: dict[str, float]  # by what took it

    def figure(self, name: str) -> float:
        return sum(self.cpu_us.values()) if name == CPU else self.figures[name]


class Contest(NamedTuple):
    """One table: a round of a service knows that service's earlier rounds."""

    title: str
    measure: Callable[[Service, Path, Sequence[Measured]], Measured]
    decimals: dict[str, int]  # of each figure that is shown
    cpu_of: str


def contests(seconds: float, idle: int) -> dict[str, Contest]:
    """All of them, by the names that `--only` takes."""
    loud = {DELIVERIES: 0, P50: 2, P99: 2, SERVER: 0, CLIENT: 0}
    says = f"says {MESSAGE_BYTES} bytes of JSON, {WINDOW} messages under way, all 99 hear them"
    return {
        "burst": Contest(
            f"burst: one of 99 members {says}", partial(burst, "talk", seconds), loud, "delivery"
        ),
        "kept": Contest(
            "burst, kept: ours are stored before anybody hears them",
            partial(burst, "keep", seconds),
            loud,
            "delivery",
        ),
        "paced": Contest(
            f"paced: the same room, {PACE_PER_S} messages/s",
            partial(paced, seconds),
            loud,
            "delivery",
        ),
        "rooms": Contest(
            f"rooms: 100 rooms of 10, all speak, the highest rate with p99 < {LATE_MS} ms",
            partial(rooms, seconds),
            loud,
            "delivery",
        ),
        "idle": Contest(
            f"idle: {idle:,} sockets that say nothing, in rooms of {IDLE_MEMBERS}",
            partial(silence, idle),
            {HANDSHAKES: 0, ENTERED: 0, MEMORY: 1, MEMORY_BEFORE: 0},
            "handshake",
        ),
        "lobby": Contest(
            f"lobby: {CLIENT_COUNT} clients, each creates a room and joins it {JOINS} times, again",
            partial(lobby, seconds),
            {REQUESTS: 0, P50: 1, P99: 1, SERVER: 0, CLIENT: 0},
            "request",
        ),
    }


def burst(
    wire: str, seconds: float, service: Service, folder: Path, before: Sequence[Measured]
) -> Measured:
    """As much as goes through. Who keeps nothing just talks."""
    phase = f"burst:window={WINDOW},warm=1,measure={seconds}"
    chosen = (service.keep if wire == "keep" else None) or service.talk
    return heard(service, chosen, ONE_ROOM, phase, folder)


def paced(seconds: float, service: Service, folder: Path, before: Sequence[Measured]) -> Measured:
    phase = f"paced:rate={PACE_PER_S},warm=1,measure={seconds}"
    return heard(service, service.talk, ONE_ROOM, phase, folder)


def rooms(seconds: float, service: Service, folder: Path, before: Sequence[Measured]) -> Measured:
    """A search. The first one takes large steps, later ones begin near what the last one found."""
    low, factor = (0.75 * before[-1].figures[DELIVERIES], 1.25) if before else (8000.0, 2.0)
    phase = f"search:low={low:.0f},factor={factor},limit={LATE_MS},warm=0.4,measure={seconds / 2}"
    return heard(service, service.talk, MANY_ROOMS, phase, folder)


def heard(service: Service, wire: Wire | None, crowd: Crowd, phase: str, folder: Path) -> Measured:
    """What a crowd made of a phase."""
    assert wire
    with service.start(folder) as running:
        told = measure(running, wire, crowd, phase, folder)
    seconds, count = told["seconds"], told["deliveries"]
    figures = {
        DELIVERIES: count / seconds,
        P50: told["p50_ms"],
        P99: told["p99_ms"],
        SERVER: 100 * sum(told["cpu_s"].values()) / seconds,
        CLIENT: 100 * told["client_cpu_s"] / seconds,
    }
    return Measured(figures, per_unit_us(told["cpu_s"], count))


def silence(sockets: int, service: Service, folder: Path, before: Sequence[Measured]) -> Measured:
    """Sockets are opened and held, and looked at from outside."""
    assert service.talk
    crowd = Crowd(sockets // IDLE_MEMBERS, IDLE_MEMBERS)
    with service.start(folder) as running:
        empty_kib = running.memory_kib()
        with members(running, service.talk, crowd, ["hold"], folder) as client:
            told = client.hear("open")
            client.hear("hold")
            full_kib = memory_later_kib(running)
            client.leave()
    figures = opening(told, bool(service.talk.steps))
    figures |= {MEMORY: (full_kib - empty_kib) / told["members"], MEMORY_BEFORE: empty_kib / 1024}
    return Measured(figures, per_unit_us(told["cpu_s"], told["members"]))


def memory_later_kib(running: Running) -> int:
    time.sleep(MEMORY_AFTER_S)
    return running.memory_kib()


def opening(told: Told, must_enter: bool) -> dict[str, float]:
    """How fast sockets open, and where that takes more than a handshake, how fast members enter."""
    count = told["members"]
    entered = {ENTERED: count / told["entering_s"]} if must_enter else {}
    return {HANDSHAKES: count / told["handshakes_s"], **entered}


def lobby(seconds: float, service: Service, folder: Path, before: Sequence[Measured]) -> Measured:
    assert service.lobby
    with service.start(folder) as running:
        return asked(load(running, service.lobby, seconds))


def asked(one: Round) -> Measured:
    """What the client of a lobby tells of a round."""
    server = one.requests_per_s * sum(one.cpu_us.values()) / 1e6
    figures = {
        REQUESTS: one.requests_per_s,
        P50: one.latencies_ms["join p50"],
        P99: one.latencies_ms["join p99"],
        SERVER: 100 * server,
        CLIENT: 100 * (one.busy_cores - server),
    }
    return Measured(figures, one.cpu_us)


def per_unit_us(spent_s: dict[str, float], units: int) -> dict[str, float]:
    return {name: spent * 1e6 / units for name, spent in spent_s.items()}


# Tables


def section(contest: Contest, measured: dict[str, list[Measured]]) -> str:
    """A service's line has the median of each figure, and the least and the most."""
    head = ["", *contest.decimals, f"{CPU}/{contest.cpu_of}"]
    return table(head, [row(name, contest, rounds) for name, rounds in measured.items()])


def row(name: str, contest: Contest, rounds: Sequence[Measured]) -> list[str]:
    cells = [cell(rounds, figure, digits) for figure, digits in contest.decimals.items()]
    return [name, *cells, cpu_cell(rounds)]


def cell(rounds: Sequence[Measured], figure: str, digits: int) -> str:
    values = [one.figures[figure] for one in rounds if figure in one.figures]
    return spread(values, digits) if values else ""


def cpu_cell(rounds: Sequence[Measured]) -> str:
    """A round's parts, of the round in the middle: medians of parts would not add up."""
    middle = sorted(rounds, key=lambda one: sum(one.cpu_us.values()))[len(rounds) // 2]
    total = sum(middle.cpu_us.values())
    return shares(middle.cpu_us, digits=0 if total >= 100 else 1 if total >= 10 else 2)
