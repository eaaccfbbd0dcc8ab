"""Thousands of clients in one thread that come back whenever they are sent away, as partysocket
does."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.support.crowd import Listener, settle
from tests.support.loops import until

ADDRESSES = [f"127.0.0.{number}" for number in range(2, 42)]  # one may have a tenth of the places
RETURNS_AFTER_S = 3.0  # all at one moment: partysocket waits without jitter
DELAY_S = (1.0, 5.0)  # after a first failure; then more and more
BACKOFF, DELAY_MAX_S = 1.3, 10.0
CLOSE_FRAME = b"\x88\x02"  # and two bytes of code
PING_FRAME = b"\x89\x04"  # and four bytes to send back
PONG_FRAME = b"\x8a\x84\x00\x00\x00\x00"  # and those
TRY_LIMIT_S = 120.0
SPARE_FILES = 500


class Departure(NamedTuple):
    """How a socket that had joined ended."""

    at: float  # time.monotonic()
    code: int  # 1006: without a close frame


class Visit(Listener):
    """One socket of a client."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self.code = 1006
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._tail[-6:-4] == PING_FRAME:
            self.transport.write(PONG_FRAME + self._tail[-4:])
        if self._tail[-4:-2] == CLOSE_FRAME:
            self.code = int.from_bytes(self._tail[-2:])
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        settle(self.over)


class Client:
    """One player, who stays in the room until it is told to stop."""

    def __init__(self, url: str, token: str, address: str, crowd: Crowd) -> None:
        self._place = (url, token)
        self._address = address
        self._crowd = crowd

    async def stay(self) -> None:
        """Be there; and when that ends, come back."""
        failures = 0
        while True:
            visit = Visit(*self._place)
            try:
                if await self._enters(visit):
                    failures = 0
                    await visit.over
                    self._crowd.departures.append(Departure(time.monotonic(), visit.code))
                else:
                    failures += 1
            finally:
                self._crowd.present.discard(self)
                if hasattr(visit, "transport"):
                    visit.transport.abort()
            await asyncio.sleep(self._crowd.delay_s(failures))

    async def _enters(self, visit: Visit) -> bool:
        loop, crowd = asyncio.get_running_loop(), self._crowd
        try:
            async with asyncio.timeout(TRY_LIMIT_S):
                await loop.create_connection(
                    lambda: visit, crowd.host, crowd.port, local_addr=(self._address, 0)
                )
                await visit.joined
        except (OSError, TimeoutError):
            crowd.refusals[visit.status or "no answer"] += 1
            return False
        crowd.present.add(self)
        crowd.arrivals.append(time.monotonic())
        return True


def delay_s(failures: int) -> float:
    """What partysocket waits: a fixed time after a drop, then a random one that grows."""
    if not failures:
        return RETURNS_AFTER_S
    return min(random.uniform(*DELAY_S) * BACKOFF ** (failures - 1), DELAY_MAX_S)


class Crowd:
    """All of them, and what became of them. Its tasks are those of the loop that made it."""

    def __init__(self, host: str, port: int, delay_s: Callable[[int], float] = delay_s) -> None:
        """`delay_s` says how long a client waits before it comes again, after so many failures."""
        self.host, self.port = host, port
        self.delay_s = delay_s
        self.present: set[Client] = set()
        self.arrivals: list[float] = []
        self.departures: list[Departure] = []
        self.refusals: Counter[int | str] = Counter()  # by the handshake's status
        self._tasks: list[asyncio.Task[None]] = []

    def send_in(self, places: Iterable[tuple[str, str]]) -> None:
        """A client for each URL and token, all at once."""
        for number, (url, token) in enumerate(places):
            client = Client(url, token, ADDRESSES[number % len(ADDRESSES)], self)
            self._tasks.append(asyncio.create_task(client.stay()))

    async def is_there(self, within_s: float) -> None:
        """Everybody has joined."""
        await until(lambda: len(self.present) == len(self._tasks), within_s)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def allow_sockets(count: int) -> None:
    """As many open files as so many clients need. Raises ValueError where that is forbidden."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
