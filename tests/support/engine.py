"""Rooms on a running event loop, with a clock and sockets that tests control."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from contracts import jsonio
from contracts.complaints import Complaints
from contracts.sockets import Close
from realtime.auth import token_hash
from realtime.core.commands import Command, Receive, Register
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.core.surroundings import Surroundings
from realtime.engine.bus import Bus, NoBus
from realtime.engine.clock import Clock
from realtime.engine.frames import Frames
from realtime.engine.hub import Connection, Hub
from realtime.engine.memory import Engine, Limits
from realtime.engine.peers import Peers
from realtime.engine.rooms import Rooms
from realtime.engine.store import Store
from realtime.parties.chat import ChatParty
from realtime.parties.leet99 import Leet99
from realtime.testing import START
from tests.support.loops import PATIENCE_S

DEFAULTS = {
    "mailbox_size": 1024,
    "batch_size": 64,
    "commit_deadline_s": 2.0,
    "refresh_interval_s": 0.25,
    "room_idle_s": 60.0,
    "clock_interval_s": 1.0,
    "prune_interval_s": 60.0,
    "slow_turn_s": 60.0,
}
NOTHING = jsonio.raw({})
KEY = RoomKey("leet99", "K7PQ2M")


class RecordingWire:
    """A socket's way out that remembers what was sent."""

    write: Callable[[bytes], None] | None = None

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.code: Close | None = None

    def send(self, frame: bytes) -> None:
        assert self.code is None, "sent after the close"
        self.frames.append(msgspec.json.decode(frame))

    def send_all(self, frames: Frames) -> None:
        for frame in frames.each:
            self.send(frame)

    def show(self, view: bytes, *, replaces: bool) -> None:
        self.send(view)

    def close(self, code: Close) -> None:
        self.code = code

    @property
    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


class Bench:
    """An engine to try rooms on."""

    def __init__(
        self,
        store: Store,
        parties: tuple[Party, ...] = (),
        *,
        bus: Bus | None = None,
        process: str = "here",
        time: Callable[[], float] | None = None,
        **limits: Any,
    ) -> None:
        """`time` is the clock of rooms and peers; without it the clock stands, at `now`."""
        self.now = START
        clock = time or (lambda: self.now)
        self.hub = Hub()
        known = {party.slug: party for party in (Leet99(), ChatParty(), *parties)}
        surroundings = Surroundings(Random)
        complaints = Complaints("commits")
        bounds = Limits(**DEFAULTS | limits)
        self.bus = bus or NoBus()
        self.peers = Peers(process, store, lives_s=12, clock=clock)
        engine = Engine(
            store=store,
            hub=self.hub,
            bus=self.bus,
            peers=self.peers,
            clock=clock,
            surroundings=surroundings,
            complaints=complaints,
            limits=bounds,
        )
        self.engine = engine
        self.rooms = Rooms(known, engine)
        self.clock = Clock(self.rooms, engine)

    async def ask(self, command: Command, key: RoomKey = KEY) -> Any:
        return await self.rooms.ask(key, command)

    async def look(self, key: RoomKey = KEY) -> Any:
        return await self.rooms.look(key)

    async def create(self, name: str = "alice", key: RoomKey = KEY, **settings: Any) -> Any:
        return await self.ask(register(name, host=True, **settings), key)

    async def connect(self, name: str, key: RoomKey = KEY) -> tuple[Connection, RecordingWire]:
        wire = RecordingWire()
        connection = Connection(key, wire)
        await self.rooms.enter(connection, token_hash(f"t_{name}"))
        await settled()  # all have been told
        return connection, wire

    def say(self, connection: Connection, text: str = "hello") -> None:
        payload = jsonio.raw({"text": text})
        self.rooms.tell(connection, Receive(connection.player_id, "SEND_CHAT", payload), "r1")


def register(name: str, *, host: bool = False, **settings: Any) -> Register:
    """The lobby's command for `name`."""
    said = jsonio.encode([name, host, settings])
    return Register(
        player_id=f"p_{name}",
        token_hash=token_hash(f"t_{name}"),
        fingerprint=token_hash(said.decode()),
        username=name,
        is_host=host,
        settings=jsonio.raw(settings),
    )


async def settled() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], limit_s: float = PATIENCE_S) -> None:
    """Wait for something that tells nobody when it happens."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.005)
