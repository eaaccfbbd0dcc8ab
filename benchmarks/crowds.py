"""`crowds`: what ten thousand silent sockets cost, and members that never read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import httpx

from benchmarks import cores
from benchmarks.cores import SERVERS, pinned
from benchmarks.databases import sqlite
from benchmarks.figures import table
from benchmarks.load import NoFigures
from benchmarks.services import SWITCHES
from config.env import DEV_SERVICE_KEY
from config.serving import allow_files
from scripts.lib.bootstrap import say
from tests.support.members import Member, all_come, resident_kib
from tests.support.servers import Server, free_port, server
from tests.support.site import player

ROOMS, MEMBERS, PLAYERS = 100, 100, 90  # the other members of a room are spectators
STALLED = 50  # of the one room with stalled readers
SIGNALS, SIGNAL_BYTES = 2000, 3900
PROBE_EVERY_S = 0.01
AT_ONCE = 16  # rooms that are filled
SETTLES_S = 2.0
PING, PONG = b"\x89\x00", bytes([0x8A, 0x80, 0, 0, 0, 0])


class Idle(Member):
    """A member who says nothing but that it is there."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if data.endswith(PING):
            self.transport.write(PONG)


class Delays(NamedTuple):
    """How long a signal took to come back."""

    median_ms: float
    p99_ms: float
    most_ms: float

    @classmethod
    def of(cls, seconds: list[float]) -> Delays:
        return cls(median(seconds) * 1e3, quantiles(seconds, n=100)[98] * 1e3, max(seconds) * 1e3)

    def __str__(self) -> str:
        return f"{self.median_ms:.1f} / {self.p99_ms:.1f} / {self.most_ms:.1f} ms"


def measure(folder: Path, rounds: int, seconds: float) -> None:
    """Both crowds, `rounds` times; the idle one is watched for so long."""
    allow_files()
    idle, stalled = [], []
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}: {ROOMS * MEMBERS:,} idle sockets …")
        idle.append(_round(folder / f"idle-{number}", partial(_idle, seconds)))
        say(f"round {number} of {rounds}: {STALLED} of {MEMBERS} members read nothing …")
        stalled.append(_round(folder / f"stalled-{number}", _stalled))
    head = [
        "open and join",
        "memory a socket",
        "CPU when idle",
        "a signal's delay (median/p99/max)",
    ]
    print(f"\n{ROOMS * MEMBERS:,} sockets in {ROOMS} rooms, watched for {seconds:g} s\n")
    print(table(head, idle))
    print(f"\n{SIGNALS:,} signals of {SIGNAL_BYTES:,} bytes; {STALLED} of {MEMBERS} read nothing\n")
    print(table(["memory a stalled reader", "left after 2 s", head[-1]], stalled))


class House(NamedTuple):
    """A realtime service, by itself on its core."""

    server: Server
    pid: int  # of the process that serves

    def room(self, name: str) -> list[tuple[str, str]]:
        """A new room: each member's URL and token."""
        path = f"/parties/chat/{name}"
        with httpx.Client(base_url=self.server.url + path, trust_env=False, timeout=30) as http:
            return [
                (self.server.url.replace("http", "ws", 1) + path, _admit(http, number))
                for number in range(MEMBERS)
            ]

    @property
    def memory_kib(self) -> int:
        return resident_kib(self.pid)

    @property
    def cpu_s(self) -> float:
        return cores.cpu_s([self.pid])


def _admit(http: httpx.Client, number: int) -> str:
    role = "player" if number < PLAYERS else "spectator"
    one = player(f"member {number}", isHost=number == 0, role=role)
    key = {"Authorization": f"Bearer {DEV_SERVICE_KEY}"}
    answer = http.post("/register", json=one, headers=key)
    if answer.status_code != 200:
        raise NoFigures(f"a member was refused with {answer.status_code}. There are no figures.")
    return str(one["playerToken"])


@contextmanager
def _house(folder: Path) -> Iterator[House]:
    folder.mkdir()
    strangers = {"UNAUTHENTICATED_SOCKETS": "10000"}
    with sqlite(folder) as database, ExitStack() as started:
        ports = {"LOBBY_PORT": str(free_port()), "REALTIME_PORT": str(free_port())}
        environ = {**database.environ, **SWITCHES, **ports, **strangers}
        with pinned(SERVERS):
            realtime = started.enter_context(server("realtime", environ, folder))
        yield House(realtime, max(cores.group(realtime.leader.pid), key=resident_kib))


def _round(folder: Path, crowd: Callable[[House], Coroutine[Any, Any, list[str]]]) -> list[str]:
    with _house(folder) as house:
        return asyncio.run(crowd(house))


async def _idle(seconds: float, house: House) -> list[str]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rooms = list(pool.map(house.room, [f"room-{number}" for number in range(ROOMS)]))
    say("all members are registered …")
    members = [Idle(*one) for room in rooms for one in room]
    prober = Idle(*house.room("probe")[0])
    await asyncio.sleep(SETTLES_S)
    before_kib, began = house.memory_kib, time.monotonic()
    await all_come([prober, *members], at_once=200)
    joined_s = time.monotonic() - began
    await asyncio.sleep(SETTLES_S)
    each_kib = (house.memory_kib - before_kib) / len(members)
    before_s = house.cpu_s
    await asyncio.sleep(seconds)
    cpu = (house.cpu_s - before_s) / seconds
    delays = await _probe(prober, seconds)
    if any(one.ended.done() for one in members):
        raise NoFigures("a socket was closed while it was idle. There are no figures.")
    for one in [prober, *members]:
        one.transport.abort()
    return [f"{joined_s:.1f} s", f"{each_kib:.1f} KiB", f"{cpu:.1%}", str(delays)]


async def _probe(prober: Member, seconds: float) -> Delays:
    delays: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        delays.append(await prober.hears_itself(f"#{len(delays)}#", 10))
        await asyncio.sleep(PROBE_EVERY_S)
    return Delays.of(delays)


async def _stalled(house: House) -> list[str]:
    room = house.room("loud")
    stalled = [Member(*one, stalls=True) for one in room[:STALLED]]
    readers = [Member(*one) for one in room[STALLED:]]
    await all_come([*readers, *stalled])
    before_kib, most_kib, delays = house.memory_kib, 0, []
    for number in range(SIGNALS):
        reader = readers[number % len(readers)]
        delays.append(await reader.hears_itself(f"#{number}#", SIGNAL_BYTES))
        most_kib = max(most_kib, house.memory_kib - before_kib)
        await asyncio.sleep(PROBE_EVERY_S)
    await asyncio.sleep(SETTLES_S)
    left_kib = house.memory_kib - before_kib
    await asyncio.gather(*(one.reads_on() for one in stalled))
    for one in readers:
        one.transport.abort()
    return [
        f"{most_kib / STALLED:.0f} KiB",
        f"{left_kib / STALLED:.0f} KiB",
        str(Delays.of(delays)),
    ]
