"""Rooms whose stored state their party cannot read: refused, left alone, and closable."""

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.sockets import Close
from realtime.core.commands import Command, Connect, EndRoom, Inspect, Receive, Remove
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.core.rows import RoomKey
from realtime.engine.memory_store import MemoryStore
from tests.support.engine import NOTHING, Bench, register, settled
from tests.support.stores import MemoryPlace, on

KEY = RoomKey("counter", "K7PQ2M")
CLOSED_S = 24 * 3600


class Counter(Party):
    slug = "counter"

    class State(Struct):
        count: int = 0
        words: list[str] = []

    def on_create(self, room: Room, host: Player) -> None:
        room.alarm("bell", 60)

    def on_alarm(self, room: Room, name: str) -> None:
        room.state.count += 1

    @message("spoil")
    def spoil(self, room: Room, player: Player) -> None:
        """Keep what can't be read back: with VERIFY_STATE it would be refused."""
        room.state.count = "one"


class NewerCounter(Counter):
    class State(Struct):
        count: str = ""

    @message("spoil")
    def spoil(self, room: Room, player: Player) -> None:
        raise AssertionError("an unreadable room runs no handler")


@pytest.fixture
def memory():
    return MemoryPlace()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def place(request):
    return request.getfixturevalue(request.param)


async def code_of(answer: Any) -> Code | None:
    try:
        await answer
    except RoomError as refusal:
        return refusal.code
    return None


def test_nothing_touches_it_and_an_administrator_may_close_it(place):
    async def story(store):
        older, newer = Bench(store, (Counter(),)), Bench(store, (NewerCounter(),))
        await older.ask(register("alice", host=True), KEY)
        kept = await store.load(KEY)
        commands: list[Command] = [register("bob"), Connect("t"), Remove("p_alice"), Inspect()]
        refused = [await code_of(newer.ask(one, KEY)) for one in commands]
        assert refused == [Code.ROOM_UNREADABLE] * len(commands)
        assert await store.load(KEY) == kept
        await newer.ask(EndRoom(), KEY)
        assert place.journal(KEY) == [1, 2]
        assert place.seats(KEY) == {"p_alice": "alice"}
        for bench in (newer, Bench(store, (Counter(),))):  # the one that could read it, too
            assert await code_of(bench.rooms.look(KEY)) is Code.ROOM_NOT_FOUND
            assert await code_of(bench.ask(EndRoom(), KEY)) is Code.ROOM_NOT_FOUND
            assert await code_of(bench.ask(register("eve", host=True), KEY)) is (
                Code.ROOM_ALREADY_EXISTS
            )
        assert await store.due(["counter"], older.now + CLOSED_S, 10) == []
        await store.prune(older.now + CLOSED_S + 1)
        assert await store.load(KEY) is None

    on(place, story)


def test_the_program_that_can_read_it_goes_on_with_it(place):
    async def story(store):
        older, newer = Bench(store, (Counter(),)), Bench(store, (NewerCounter(),))
        await older.ask(register("alice", host=True), KEY)
        assert await code_of(newer.ask(register("bob"), KEY)) is Code.ROOM_UNREADABLE
        assert (await older.ask(register("bob"), KEY)).counts.players == 2

    on(place, story)


def test_its_alarms_wait_for_a_program_that_can_read_it(caplog):
    async def story():
        store = MemoryStore()
        older, newer = Bench(store, (Counter(),)), Bench(store, (NewerCounter(),))
        await older.ask(register("alice", host=True), KEY)
        older.now += 61
        newer.now += 61
        await newer.clock.tick()
        await settled()
        assert len(store.journals[KEY]) == 1
        await older.clock.tick()
        await settled()
        assert [b'"bell"' in row.entry for row in store.journals[KEY]].count(True) == 1

    asyncio.run(story())
    assert [record.args[2] for record in caplog.records] == [
        "counter/K7PQ2M: its state is unreadable: ValidationError `$.state.count`"
    ]


def test_what_was_kept_unverified_and_cannot_be_read_back_is_closable(place):
    async def story(store):
        bench = Bench(store, (Counter(),))
        await bench.ask(register("alice", host=True), KEY)
        alice, wire = await bench.connect("alice", KEY)
        await bench.rooms.ask(KEY, Receive("p_alice", "spoil", NOTHING), alice)
        assert await code_of(bench.ask(Remove("p_nobody"), KEY)) is not None  # reads it anew
        assert await code_of(bench.ask(register("bob"), KEY)) is Code.ROOM_UNREADABLE
        await bench.ask(EndRoom(), KEY)
        await settled()
        assert wire.code is Close.ROOM_NOT_FOUND

    on(place, story)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"no JSON at all",
        b"[1, 2]",
        b'{"roster": 5, "phase": null, "connected": [], "seq": "x", "settings": {}}',
        b'{"visibility": "somewhere", "roster": {"players": {"p_a": {"role": 7}}}}',
    ],
)
def test_whatever_lies_there_can_be_closed(state):
    async def story():
        store = MemoryStore()
        bench = Bench(store, (Counter(),))
        await bench.ask(register("alice", host=True), KEY)
        spoilt = store.snapshots[KEY]
        store.snapshots[KEY] = msgspec.structs.replace(spoilt, state=state)
        again = Bench(store, (Counter(),))
        assert await code_of(again.rooms.look(KEY)) is Code.ROOM_UNREADABLE
        await again.ask(EndRoom(), KEY)
        assert store.rows[KEY].status == "closed"
        assert jsonio.decode_checked(store.rows[KEY].settings, Party.Settings, path="settings")
        assert await code_of(again.rooms.look(KEY)) is Code.ROOM_NOT_FOUND

    asyncio.run(story())
