"""The bus over a Channels layer: one channel per process, one group per room.

A layer delivers at most once, and its socket to Redis may break or hang at any time. So this
process listens to itself: a pulse that comes back is what says that the bus works.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from contracts.complaints import Complaints
from contracts.incidents import report
from realtime.core.rows import RoomKey
from realtime.engine.bus import OnNews

WAITING_MAX = 10_000  # news that wait to be sent; more are dropped
CALL_LIMIT_S = 0.5  # for anything that the layer is asked to do
PULSE_S = 1.0
SILENCE_MAX_S = 2.5  # without a pulse that came back, the bus is down
GIVE_UP_S = 5.0  # then connections are made anew: they may lead to a host that vanished


class ChannelsBus:
    """Publishes in the background, in order, what waits for a room together in one message."""

    def __init__(self, layer: Any) -> None:
        self.up = False
        self._layer = layer
        self._channel = ""  # empty until the layer was reached
        self._followed: set[RoomKey] = set()
        self._waiting: list[tuple[RoomKey, bytes]] = []
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listening: asyncio.Task[None] | None = None
        self._orders: dict[RoomKey, asyncio.Task[None]] = {}  # to be told no more
        self._heard_at = 0.0
        self._complaints = Complaints("calls to Redis")

    async def start(self, on_news: OnNews, on_return: Callable[[], None]) -> None:
        """As Bus.start. A layer that can't be reached now is reached later."""
        self._on_news, self._on_return = on_news, on_return
        await self._open()
        self._tasks = [asyncio.create_task(task()) for task in (self._send, self._beat)]
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        await _end(*self._tasks, *self._orders.values())
        await _end(*filter(None, [self._listening]))  # last, as the beat may have begun it
        await self._attempt(self._layer.flush())

    def publish(self, key: RoomKey, news: bytes) -> None:
        if not self.up:
            return  # those who should hear it look for themselves
        if len(self._waiting) >= WAITING_MAX:
            self._complaints.add("too much is waiting to be sent")
            return
        self._waiting.append((key, news))
        self._filled.set()

    async def follow(self, key: RoomKey) -> None:
        self._followed.add(key)
        if order := self._orders.get(key):
            await asyncio.wait([order])  # or it might come last
        if self.up and key in self._followed:
            await self._attempt(self._layer.group_add(_group(key), self._channel))

    def unfollow(self, key: RoomKey) -> None:
        followed = key in self._followed
        self._followed.discard(key)
        if followed and key not in self._orders:
            self._orders[key] = asyncio.create_task(self._unfollow(key))
            self._orders[key].add_done_callback(lambda _: self._orders.pop(key))

    def check(self) -> dict[str, str]:
        return {"bus": "ok" if self.up else "Redis does not answer"}

    async def _unfollow(self, key: RoomKey) -> None:
        if key not in self._followed:  # nobody came meanwhile
            await self._attempt(self._layer.group_discard(_group(key), self._channel))

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
            await asyncio.sleep(PULSE_S)
            if self.up and now() - self._heard_at > SILENCE_MAX_S:
                self._lost("it is silent")
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
                await asyncio.sleep(PULSE_S / 10)
                continue
            try:
                await self._take(await self._layer.receive(self._channel))
            except Exception as bug:  # noqa: BLE001  the next message may be understood
                report(bug, "bus")

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "pulse":
            await self._alive()
        elif message["from"] != self._channel:
            for news in message["news"]:
                self._on_news(news)

    async def _alive(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if self.up:
            return
        joined: set[RoomKey] = set()
        while waiting := self._followed - joined:  # more may come meanwhile
            for key in waiting:
                if not await self._attempt(self._layer.group_add(_group(key), self._channel)):
                    return
            joined |= waiting
        self.up = True
        self._on_return()

    async def _send(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            rooms: defaultdict[RoomKey, list[bytes]] = defaultdict(list)
            for key, news in self._waiting:
                rooms[key].append(news)
            self._waiting = []
            for key, together in rooms.items():
                message = {"type": "news", "from": self._channel, "news": together}
                if not await self._attempt(self._layer.group_send(_group(key), message)):
                    break

    async def _attempt(self, call: Any) -> bool:
        """Whether the layer did it, in time."""
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await call
        except Exception as problem:  # noqa: BLE001  each layer has its own
            self._lost(type(problem).__name__)
            return False
        return True

    def _lost(self, reason: str) -> None:
        self._complaints.add(reason)
        self.up = False
        self._waiting = []


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _group(key: RoomKey) -> str:
    """A name as Channels allows it, of any room."""
    return blake2b("/".join(key).encode(), digest_size=16).hexdigest()
