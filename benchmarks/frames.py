"""`frames`: microseconds for each WebSocket frame that is read, by reader and by how they come."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from timeit import Timer
from typing import TypeAlias

from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from wsproto.connection import Connection, ConnectionType

from benchmarks import machine
from benchmarks.figures import table
from contracts.limits import FRAME_MAX_BYTES
from realtime.websocket.reader import Reader
from scripts.lib.bootstrap import say
from tests.framelab.frames import text

SMALL, LARGE, MANY = 200, 16 * 1024, 50  # bytes, bytes, frames
READS = {
    f"{SMALL} bytes, one a read": (text("x" * SMALL), 1),
    f"{SMALL} bytes, {MANY} a read": (text("x" * SMALL) * MANY, MANY),
    f"{LARGE // 1024} KiB, one a read": (text("x" * LARGE), 1),
}
IDLE = 1000  # readers, to see what one holds

Feed: TypeAlias = Callable[[bytes], Sequence[object]]  # a read to what is in it


def ours() -> Feed:
    return Reader(FRAME_MAX_BYTES).feed


def websockets() -> Feed:
    """Frames; whether a text is UTF-8 its user sees."""
    protocol = ServerProtocol(state=OPEN, max_size=FRAME_MAX_BYTES)
    return partial(_websockets, protocol)


def _websockets(protocol: ServerProtocol, data: bytes) -> Sequence[object]:
    protocol.receive_data(data)
    return protocol.events_received()


def wsproto() -> Feed:
    return partial(_wsproto, Connection(ConnectionType.SERVER))


def _wsproto(connection: Connection, data: bytes) -> Sequence[object]:
    connection.receive_data(data)
    return list(connection.events())


READERS: Mapping[str, Callable[[], Feed]] = {
    "ours": ours,
    "websockets": websockets,
    "wsproto": wsproto,
}


def measure(folder: Path, rounds: int, seconds: float) -> None:
    """Every reader, every kind of read, once a round."""
    machine.fact("work", f"medians of {rounds} rounds of {seconds:g} s; us for each frame\n")
    measured = []
    for number in range(1, rounds + 1):
        measured.append({name: per_frame_us(make, seconds) for name, make in READERS.items()})
        say(f"round {number}")
    print(table(["", *READS, "idle, bytes"], [row(name, measured) for name in READERS]))


def per_frame_us(make: Callable[[], Feed], seconds: float) -> list[float]:
    return [read_us(make(), data, seconds) / frames for data, frames in READS.values()]


def read_us(feed: Feed, data: bytes, seconds: float) -> float:
    """What one read takes, when such are made for so long."""
    timer = Timer(partial(feed, data))
    times, took = timer.autorange()
    times = max(1, int(times * seconds / took))
    return timer.timeit(times) * 1e6 / times


def row(name: str, rounds: Sequence[Mapping[str, Sequence[float]]]) -> list[str]:
    figures = zip(*(one[name] for one in rounds), strict=True)
    return [name, *(f"{median(us):.2f}" for us in figures), f"{idle_bytes(READERS[name]):,.0f}"]


def idle_bytes(make: Callable[[], Feed]) -> float:
    """What a reader holds that has read a frame."""
    sent = text("x" * SMALL)
    tracemalloc.start()
    try:
        feeds = [make() for _ in range(IDLE)]
        for feed in feeds:
            feed(sent)
        return tracemalloc.get_traced_memory()[0] / IDLE
    finally:
        tracemalloc.stop()
