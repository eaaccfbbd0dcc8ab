"""Several processes in one: engines that share a store, and buses between them that tests break."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from copy import deepcopy
from itertools import pairwise
from typing import Any

from msgspec import Struct

from contracts import jsonio
from realtime.auth import token_hash
from realtime.core.commands import Connect, Receive
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.relay import Relay
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.core.rows import Commit, RoomKey
from realtime.engine import announcements
from realtime.engine.announcements import Announcement, News
from realtime.engine.bus import OnNews
from realtime.engine.hub import Connection
from realtime.engine.store import Held, StorageUnavailable
from realtime.engine.watch import Watch
from realtime.testing import START
from tests.support.engine import NOTHING, Bench, RecordingWire, register
from tests.support.faulty_store import SharedStore

ROOM = RoomKey("tally", "K7PQ2M")


class TallyState(Struct):
    """How often something was counted."""

    value: int = 0


class Whisper(Struct):
    """Whom to tell what."""

    text: str


class Tally(Party):
    """Counts, and tells of it in every way there is."""

    slug = "tally"
    State = TallyState

    def view(self, room: Room) -> dict[str, object]:
        return {**super().view(room), "value": room.state.value}

    @message("ADD")
    def add(self, room: Room, player: Player) -> None:
        room.state.value += 1
        room.broadcast("ADDED", {"value": room.state.value})

    @message("ADD_UNSEEN")
    def add_unseen(self, room: Room, player: Player) -> None:
        room.state.value += 1
        room.refresh()

    @message("SHOW")
    def show(self, room: Room, player: Player) -> None:
        room.state.value += 1
        room.broadcast_view()

    @message("WHISPER", Whisper)
    def whisper(self, room: Room, player: Player, said: Whisper) -> None:
        for one in room.players:
            room.send(one, "WHISPERED", {"text": said.text})

    @message("REMOVE")
    def remove_others(self, room: Room, player: Player) -> None:
        for one in room.players:
            if one is not player:
                self.remove(room, one)

    @message("WAVE", volatile=True)
    def wave(self, relay: Relay) -> None:
        relay.broadcast("WAVED", {"username": relay.username})


class CommonStore(SharedStore):
    """One database for all processes: it knows who lives, and who holds a room."""

    def __init__(self, pause: Callable[[], float] = lambda: 0.0) -> None:
        """`pause` says how many seconds the way to the database takes, and the way back."""
        super().__init__()
        self.living: set[str] = set()
        self._pause = pause
        self._holds: defaultdict[RoomKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.loses_answer = False  # of the next commit: it is kept, and nobody learns it
        self.notices: list[Callable[[], None]] = []  # for when a lost connection is there again

    def on_return(self, notice: Callable[[], None]) -> None:
        self.notices.append(notice)

    def back_up(self) -> Callable[[], None]:
        """What sets all rooms back to how they are now."""
        tables: tuple[dict[Any, Any], ...] = (
            self.snapshots,
            self.rows,
            self.journals,
            self.seats,
            self.tags,
        )
        kept = deepcopy(tables)

        def set_back() -> None:
            for table, before in zip(tables, deepcopy(kept), strict=True):
                table.clear()
                table.update(before)

        return set_back

    async def confirm(self, key: RoomKey, version: int, tag: int = 0) -> bool:
        confirmed = await super().confirm(key, version, tag)
        await asyncio.sleep(self._pause())  # others may be first meanwhile
        return confirmed

    async def commit(self, commit: Commit) -> bool:
        await asyncio.sleep(self._pause())
        kept = not self._holds[commit.key].locked() and await super().commit(commit)
        await asyncio.sleep(self._pause())
        if self.loses_answer:
            self.loses_answer = False
            raise StorageUnavailable("connection lost")
        return kept

    @asynccontextmanager
    async def hold(self, key: RoomKey) -> AsyncIterator[Held]:
        await asyncio.sleep(self._pause())
        lock = self._holds[key]
        async with lock:

            async def commit(batch: Commit) -> bool:
                kept = await super(CommonStore, self).commit(batch)
                await asyncio.sleep(self._pause())
                return kept

            yield Held(await self.load(key), commit)

    async def beat(self, process: str) -> frozenset[str]:
        self.living.add(process)
        return frozenset(self.living - {process})

    async def depart(self, process: str) -> None:
        self.living.discard(process)


class Exchange:
    """What is between the processes. News arrive at once and in order, unless told otherwise."""

    def __init__(self) -> None:
        self.buses: list[ExchangeBus] = []
        self.drops: Callable[[News], bool] = lambda news: False
        self.delay: Callable[[], float] = lambda: 0.0  # seconds; they may differ: no order
        self.sent: list[News] = []
        self._held: list[tuple[ExchangeBus, bytes]] | None = None

    def bus(self) -> ExchangeBus:
        made = ExchangeBus(self)
        self.buses.append(made)
        return made

    def carry(self, processes: Collection[str], news: bytes) -> None:
        self.sent.append(announcements.decode(news))
        if self.drops(self.sent[-1]):
            return
        for bus in self.buses:
            if bus.process not in processes:
                continue
            if self._held is not None:
                self._held.append((bus, news))
            else:
                asyncio.get_running_loop().call_later(self.delay(), bus.arrived, news)

    def hold(self) -> None:
        """Let nothing arrive until it is let go."""
        self._held = []

    def let_go(self, *, reverse: bool = False) -> None:
        """All that was held arrives now, perhaps in the wrong order."""
        held, self._held = self._held or [], None
        for bus, news in reversed(held) if reverse else held:
            bus.arrived(news)

    def drop_all(self) -> None:
        """What is announced from now on is lost, and nobody knows."""
        self.drops = lambda news: isinstance(news, Announcement)

    def drop_none(self) -> None:
        self.drops = lambda news: False

    def cut(self) -> None:
        """No bus works, and each knows it."""
        for bus in self.buses:
            bus.up = False

    def mend(self) -> None:
        """Every bus works again."""
        for bus in self.buses:
            bus.up = True
            bus.on_return()


class ExchangeBus:
    """One process's end."""

    def __init__(self, exchange: Exchange) -> None:
        self.up = True
        self.process = ""
        self.on_return: Callable[[], None] = lambda: None
        self._exchange = exchange
        self._on_news: OnNews = lambda news: None

    async def start(self, process: str, on_news: OnNews, on_return: Callable[[], None]) -> None:
        self.process, self._on_news, self.on_return = process, on_news, on_return

    async def close(self) -> None:
        self.up = False
        self._on_news = lambda news: None

    def publish(self, processes: Collection[str], news: bytes) -> None:
        if self.up:
            self._exchange.carry(processes, news)

    def check(self) -> dict[str, str]:
        return {"bus": "ok"}

    def arrived(self, news: bytes) -> None:
        if self.up:
            self._on_news(news)


class Socket:
    """What one client sees of a tally."""

    def __init__(self, process: Process, name: str) -> None:
        self.name = name
        self.process = process
        self.wire = RecordingWire()
        self.connection = Connection(ROOM, self.wire)

    async def join(self) -> None:
        await self.process.rooms.enter(self.connection, token_hash(f"t_{self.name}"))

    def says(self, kind: str, **payload: Any) -> None:
        said = Receive(self.connection.player_id, kind, jsonio.raw(payload))
        self.process.rooms.tell(self.connection, said)

    def waves(self) -> None:
        party = self.process.rooms.party(ROOM.party)
        self.process.rooms.relay(self.connection, party.message_of("WAVE"), NOTHING)

    def goes(self, *, by_client: bool = True) -> None:
        """The socket is closed from its own end, or just breaks."""
        self.process.hub.drop(self.connection, by_client=by_client)

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.wire.frames if "seq" in frame]

    @property
    def views(self) -> int:
        """How many snapshots it was shown."""
        return self.wire.kinds.count("ROOM_SNAPSHOT")

    @property
    def value(self) -> int:
        """What it believes that the tally is at."""
        told = [f["payload"]["value"] for f in self.wire.frames if "value" in f["payload"]]
        return told[-1]

    @property
    def in_order(self) -> bool:
        """Whether `seq` strictly increases."""
        return all(before < after for before, after in pairwise(self.seqs))

    @property
    def made_up_for(self) -> bool:
        """Whether a view came after every gap in `seq`, with it or later."""
        last: int | None = None
        owed = False
        for frame in self.wire.frames:
            if frame["type"] == "ROOM_SNAPSHOT":
                owed, last = False, frame.get("seq", None)
            elif "seq" in frame:
                owed = owed or (last is not None and frame["seq"] != last + 1)
                last = frame["seq"]
        return not owed


class Process(Bench):
    """One process among several."""

    def __init__(
        self, store: CommonStore, exchange: Exchange, name: str, versions_s: float = 10.0
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            store,
            (Tally(),),
            bus=exchange.bus(),
            process=name,
            time=lambda: START + loop.time(),
            room_idle_s=20.0,
        )
        self.name = name
        self.watch = Watch(self.rooms, self.engine, versions_s)
        self._store = store

    async def start(self) -> None:
        await self.watch.start()
        self.clock.start()

    async def close(self) -> None:
        await self.clock.close()
        await self.rooms.close()
        await self.watch.close()
        await self.peers.depart()

    async def die(self) -> None:
        """As by kill -9: nothing more is done, said or heard; storage learns it as it expires."""
        await self.bus.close()
        await self.clock.close()
        await self.watch.close()
        self.rooms._closing = True
        for actor in self.rooms._actors.values():
            actor.rest()
            if actor._task:
                actor._task.cancel()
        await asyncio.sleep(0)
        for actor in self.rooms._actors.values():
            actor.rest()
        self._store.living.discard(self.name)

    async def admit(self, name: str, *, host: bool = False) -> None:
        await self.ask(register(name, host=host), ROOM)

    async def socket(self, name: str) -> Socket:
        """One that has entered the room."""
        made = Socket(self, name)
        await made.join()
        return made

    def connects(self, name: str) -> Connect:
        return Connect(token_hash(f"t_{name}"), self.name)


async def quiet(seconds: float = 5.0) -> None:
    """Everything that was planned happens."""
    await asyncio.sleep(seconds)


def connected(store: CommonStore) -> dict[str, list[str]]:
    """What the stored state knows of presence."""
    return stored(store)["connected"]


def stored(store: CommonStore) -> dict[str, Any]:
    return jsonio.decode(store.snapshots[ROOM].state, dict)
