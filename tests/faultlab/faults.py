"""The faults, by name: each breaks one thing, repairs it, and waits until work is done again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from tests.faultlab.cluster import Cluster
from tests.faultlab.doomed_points import AFTER, ANSWERED, BEFORE, INSIDE
from tests.faultlab.history import History, now
from tests.faultlab.load import Load, eventually
from tests.faultlab.node import Node
from tests.faultlab.proxy import Mode

OUTAGE_S = (0.3, 2.0)
HANG_S = (1.0, 4.0)
REFERENCE_S = (1.5, 3.0)  # longer than any wait for a lock
DOOM_WITHIN_S = 6.0  # enough commits come in that time, or it is killed where it stands
NETWORK_S = (0.5, 2.0)
SKEW_S = 62.0  # more than a seat is kept for an absent member
SKEWED_S = (2.0, 4.0)  # looks of the process at what is due
LOST_S = (0.5, 2.5)  # what clients did for so long is lost
ENOUGH_WITHIN_S = 120.0  # only so that nothing hangs for ever

Enough = Callable[[History, float], bool]  # of what was seen since a moment


def anything(history: History, since: float) -> bool:
    """Whatever was seen is enough."""
    return True


@dataclass
class Struck:
    """One fault that was injected."""

    name: str
    recovery_s: float  # from the repair until a room was made through the process that was hit


@dataclass
class Lab:
    """Where faults are injected, and the clients that notice."""

    cluster: Cluster
    history: History
    load: Load
    chance: Random
    stop_s: float = 30.0
    enough: Enough = anything
    struck: list[Struck] = field(default_factory=list)

    @asynccontextmanager
    async def fault(self, name: str, *nodes: Node) -> AsyncIterator[None]:
        """Break something within, and repair it. It is over when every node answers again."""
        began = now()
        for node in nodes:
            node.usable = False
        try:
            yield
            repaired = now()
            for node in nodes:
                await self.load.answered_again(node)
            self.struck.append(Struck(name, now() - repaired))
        finally:
            for node in nodes:
                node.usable = True
            self.history.write("fault", name=name, t0=began, t1=now())

    async def lasts(self, between: tuple[float, float]) -> None:
        """A fault goes on for a while, and until enough of what it does was seen."""
        began = now()
        await self.pause(between)
        give_up_at = now() + ENOUGH_WITHIN_S
        await eventually(lambda: self.enough(self.history, began) or now() > give_up_at)

    async def pause(self, between: tuple[float, float]) -> None:
        await asyncio.sleep(self.chance.uniform(*between))


async def kill(lab: Lab, node: Node) -> None:
    """kill -9 at any moment."""
    async with restarted(lab, node, "kill -9"):
        await asyncio.to_thread(node.kill)


async def restart_politely(lab: Lab, node: Node) -> None:
    """SIGTERM: it finishes what was taken on."""
    async with restarted(lab, node, "SIGTERM"):
        node.terminate()
        await asyncio.to_thread(node.await_death)


def doom(point: str) -> Fault:
    """kill -9 at one point of a commit."""

    async def strike(lab: Lab, node: Node) -> None:
        async with restarted(lab, node, f"kill -9 {point}"):
            node.usable = True  # it has to be called, to die
            node.doom_it(point, lab.chance.randrange(12))
            try:
                await asyncio.to_thread(node.await_death, DOOM_WITHIN_S)
            except AssertionError:
                await asyncio.to_thread(node.kill)
            node.usable = False

    return strike


@asynccontextmanager
async def restarted(lab: Lab, node: Node, name: str) -> AsyncIterator[None]:
    """Within, the process ends; then it starts again on its port. Ready counts as recovery."""
    async with lab.fault(name, node):
        yield
        await lab.pause((0, 0.3))
        ready_s = await asyncio.to_thread(node.start)
    lab.struck[-1].recovery_s += ready_s


async def stop(lab: Lab, node: Node) -> None:
    """SIGSTOP and SIGCONT: a process that believes what was true long ago."""
    async with lab.fault("SIGSTOP", node):
        node.freeze()
        await asyncio.sleep(lab.stop_s)
        node.thaw()


def skew(ahead_s: float) -> Fault:
    """A process starts again on a host whose clock is wrong, and works there for a while; then the
    clock is set right under it."""

    async def strike(lab: Lab, node: Node) -> None:
        async with restarted(lab, node, f"clock {ahead_s:+.0f} s"):
            await asyncio.to_thread(node.kill)
            node.set_clock(ahead_s)
        await lab.pause(SKEWED_S)
        node.set_clock(0)

    return strike


def step(ahead_s: float) -> Fault:
    """A host's clock is stepped under a process at work, and stepped back."""

    async def strike(lab: Lab, node: Node) -> None:
        async with lab.fault(f"clock stepped by {ahead_s:+.0f} s", node):
            node.usable = True  # it has to be called, to go wrong
            node.set_clock(ahead_s)
            await lab.pause(SKEWED_S)
            node.set_clock(0)

    return strike


async def crash_postgres(lab: Lab, node: Node) -> None:
    postgres = lab.cluster.postgres
    async with lab.fault("PostgreSQL restart", *lab.cluster.usable):
        await asyncio.to_thread(postgres.crash)
        await lab.pause(OUTAGE_S)
        await asyncio.to_thread(postgres.start)


async def forbid_writes(lab: Lab, node: Node) -> None:
    postgres = lab.cluster.postgres
    async with lab.fault("PostgreSQL read-only", *lab.cluster.usable):
        await asyncio.to_thread(postgres.forbid_writes)
        await lab.lasts(OUTAGE_S)
        await asyncio.to_thread(postgres.allow_writes)


async def hang_postgres(lab: Lab, node: Node) -> None:
    async with lab.fault("PostgreSQL hangs", *lab.cluster.usable):
        lab.cluster.postgres.freeze()
        await lab.lasts(HANG_S)
        lab.cluster.postgres.thaw()


async def reference_rooms(lab: Lab, node: Node) -> None:
    """Somebody else's transaction holds a foreign key to every room. The history has no fault for
    it: it explains no refusal."""
    with lab.cluster.postgres.rooms_referenced():
        await lab.pause(REFERENCE_S)
    lab.struck.append(Struck("rooms referenced", 0.0))


async def set_back(lab: Lab, node: Node) -> None:
    """An asynchronous failover: what answers from now on never had what was kept last."""
    postgres, began = lab.cluster.postgres, now()
    await asyncio.to_thread(postgres.back_up)
    await lab.pause(LOST_S)
    async with lab.fault("history set back", *lab.cluster.usable):
        await asyncio.to_thread(postgres.set_back)
        lab.history.rewound(began)


async def restart_redis(lab: Lab, node: Node) -> None:
    redis = lab.cluster.redis
    async with lab.fault("Redis restart", *lab.cluster.usable):
        await asyncio.to_thread(redis.stop)
        await lab.lasts(OUTAGE_S)
        await asyncio.to_thread(redis.start)


async def flush_redis(lab: Lab, node: Node) -> None:
    async with lab.fault("Redis flush", *lab.cluster.usable):
        await asyncio.to_thread(lab.cluster.redis.flush)


async def hang_redis(lab: Lab, node: Node) -> None:
    async with lab.fault("Redis hangs", *lab.cluster.usable):
        lab.cluster.redis.freeze()
        await lab.lasts(HANG_S)
        lab.cluster.redis.thaw()


def network(way: str, mode: Mode) -> Fault:
    """One way of one process misbehaves for a while."""

    async def strike(lab: Lab, node: Node) -> None:
        async with lab.fault(f"{way} {mode}", node):
            await asyncio.to_thread(node.ways[way].switch, mode)
            await lab.pause(NETWORK_S)
            await asyncio.to_thread(node.ways[way].switch, Mode.PASS)

    return strike


Fault = Callable[[Lab, Node], Awaitable[None]]
# What answers say is garbled where an error of the other side is a fault of the table; storage is
# trusted to say what it means.
NETWORK = [
    network(way, mode)
    for way in ("lobby", "database", "redis", "clients")
    for mode in Mode
    if mode is not Mode.PASS and (mode is not Mode.GARBLE or way in ("lobby", "clients"))
]
FAULTS: dict[str, list[Fault]] = {
    "kill": [kill, doom(BEFORE), doom(INSIDE), doom(AFTER), doom(ANSWERED)],
    "term": [restart_politely],
    "stop": [stop],
    "postgres": [crash_postgres],
    "readonly": [forbid_writes],
    "hang": [hang_postgres],
    "foreign": [reference_rooms],
    "history": [set_back],
    "redis": [restart_redis],
    "flush": [flush_redis],
    "redishang": [hang_redis],
    "network": NETWORK,
    "skew": [skew(SKEW_S), skew(-SKEW_S), step(SKEW_S), step(-SKEW_S)],
}
