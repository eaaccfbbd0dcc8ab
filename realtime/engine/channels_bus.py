"""The bus over a Channels layer: one channel per process, in a group of the process's name.

Who has sockets of a room is part of its state, so news go to those processes by name, and what
waits for a process goes in one message, whatever rooms it is of: one costs more than most turns.

A layer delivers at most once, and its socket to Redis may break or hang at any time. So this
process listens to itself: a pulse that comes back is what says that the bus works.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from contracts.complaints import Complaints
from contracts.incidents import report
from contracts.reasons import redis_reason
from realtime.engine.bus import OnNews

WAITING_MAX = 10_000  # news that wait to be sent; more are dropped
CALL_LIMIT_S = 0.5  # for anything that the layer is asked to do
PULSE_S = 1.0
EAGER_S = 0.1  # between two pulses of a bus that is down
SILENCE_MAX_S = 2.5  # without a pulse that came back, the bus is down
GIVE_UP_S = 5.0  # then connections are made anew: they may lead to a host that vanished


class ChannelsBus:
    """Publishes in the background, in order, what waits for a process together in one message."""

    def __init__(self, layer: Any) -> None:
        self.up = False
        self._layer = layer
        self._channel = ""  # empty until the layer was reached
        self._waiting: list[tuple[str, bytes]] = []  # and for which process
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None
        self._heard_at = 0.0
        self._complaints = Complaints("calls to Redis")
        self._reason = "does not deliver what it takes"  # as long as it says nothing else

    async def start(self, process: str, on_news: OnNews, on_return: Callable[[], None]) -> None:
        """As Bus.start. A layer that can't be reached now is reached later."""
        self._process = process
        self._on_news, self._on_return = on_news, on_return
        await self._open()
        self._tasks = [asyncio.create_task(task()) for task in (self._send, self._beat)]
        self._listening = asyncio.create_task(self._listen())
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_LIMIT_S):
                while not self.up:  # noqa: ASYNC110  it is but once
                    await asyncio.sleep(EAGER_S / 10)

    async def close(self) -> None:
        await _end(*self._tasks)
        await _end(*filter(None, [self._listening]))  # last, as the beat may have begun it
        await self._attempt(self._layer.flush())

    def publish(self, processes: Collection[str], news: bytes) -> None:
        if not self.up:
            return  # those who should hear it look for themselves
        if len(self._waiting) >= WAITING_MAX:
            self._complaints.add("too much is waiting to be sent")
            return
        self._waiting += [(process, news) for process in processes]
        self._filled.set()

    def check(self) -> dict[str, str]:
        return {"bus": "ok" if self.up else f"Redis {self._reason}"}

    async def _open(self) -> None:
        """Make this process's channel, and see whether it hears itself."""

        async def opened() -> None:
            self._channel = await self._layer.new_channel()

        if not self._channel and not await self._attempt(opened()):
            return
        await self._attempt(self._layer.send(self._channel, {"type": "pulse"}))

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time
        self._heard_at = now()
        while True:
            await asyncio.sleep(PULSE_S if self.up else EAGER_S)
            if self.up and now() - self._heard_at > SILENCE_MAX_S:
                self._lost("does not answer in time")
            if now() - self._heard_at > GIVE_UP_S:
                await self._renew()
                self._heard_at = now()
            await self._open()

    async def _renew(self) -> None:
        """Let go of all connections, and listen on new ones."""
        self._channel = ""
        await self._attempt(self._layer.flush())
        await _end(*filter(None, [self._listening]))
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            if not self._channel:
                await asyncio.sleep(EAGER_S)
                continue
            try:
                message = await self._layer.receive(self._channel)
            except Exception as problem:  # noqa: BLE001  each layer has its own
                self._complaints.add(f"a message that can't be read ({type(problem).__name__})")
                await asyncio.sleep(EAGER_S / 10)
                continue
            await self._take(message)

    async def _take(self, message: object) -> None:
        match message:
            case {"type": "pulse"}:
                await self._alive()
            case {"type": "news", "news": [*together]}:
                for news in together:
                    self._hear(news)
            case _:
                self._complaints.add("a message that no process of ours sends")

    def _hear(self, news: object) -> None:
        try:
            if isinstance(news, bytes):
                self._on_news(news)
        except Exception as bug:  # noqa: BLE001  the next news are of another room
            report(bug, "bus")

    async def _alive(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if self.up:
            return
        if await self._attempt(self._layer.group_add(_group(self._process), self._channel)):
            self.up = True
            self._on_return()

    async def _send(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            processes: defaultdict[str, list[bytes]] = defaultdict(list)
            for process, news in self._waiting:
                processes[process].append(news)
            self._waiting = []
            for process, together in processes.items():
                message = {"type": "news", "news": together}
                if not await self._attempt(self._layer.group_send(_group(process), message)):
                    break

    async def _attempt(self, call: Any) -> bool:
        """Whether the layer did it, in time."""
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await call
        except Exception as problem:  # noqa: BLE001  each layer has its own
            self._lost(redis_reason(problem))
            return False
        return True

    def _lost(self, reason: str) -> None:
        self._complaints.add(f"Redis {reason}")
        self.up, self._reason = False, reason
        self._waiting = []


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _group(process: str) -> str:
    return f"process.{process}"
