"""The hub: frames reach the sockets of their room, and no others."""

import asyncio

import pytest

from contracts.errors import RoomError
from contracts.limits import SOCKETS_PER_PLAYER
from contracts.sockets import Close
from realtime.auth import token_hash
from realtime.core.commands import Connect
from realtime.core.rows import RoomKey
from realtime.engine.hub import Connection, Hub
from realtime.engine.memory_store import MemoryStore
from tests.support.engine import KEY, NOTHING, Bench, RecordingWire, register, settled

OTHER = RoomKey("leet99", "OTHER2")


def test_frames_of_one_room_do_not_reach_another_or_a_stranger():
    async def story():
        bench = Bench(MemoryStore())
        await bench.create()
        await bench.create(key=OTHER)
        alice, here = await bench.connect("alice")
        _, there = await bench.connect("alice", OTHER)
        stranger = Connection(KEY, RecordingWire())
        with pytest.raises(RoomError):
            await bench.rooms.ask(KEY, Connect(token_hash("a guess")), stranger)
        there.frames.clear()
        bench.say(alice)
        await settled()
        assert here.kinds[-1] == "CHAT_APPEND"
        assert there.frames == stranger.wire.frames == []

    asyncio.run(story())


def test_every_socket_of_a_player_hears_and_the_last_to_close_ends_its_presence():
    async def story():
        bench = Bench(MemoryStore())
        await bench.create()
        first, wire = await bench.connect("alice")
        second, other = await bench.connect("alice")
        bench.say(first)
        await settled()
        assert wire.kinds[-1] == other.kinds[-1] == "CHAT_APPEND"
        bench.hub.drop(first)
        assert bench.hub.present(KEY) == {"p_alice"}
        bench.hub.drop(second)
        bench.hub.drop(second)
        assert bench.hub.present(KEY) == frozenset()
        assert bench.hub.count() == 0

    asyncio.run(story())


def test_one_socket_too_many_replaces_the_players_oldest():
    async def story():
        bench = Bench(MemoryStore())
        await bench.create()
        wires = [(await bench.connect("alice"))[1] for _ in range(SOCKETS_PER_PLAYER + 1)]
        assert [wire.code for wire in wires] == [Close.REPLACED] + [None] * SOCKETS_PER_PLAYER

    asyncio.run(story())


def test_a_socket_may_join_again_and_is_not_counted_twice():
    hub, connection = Hub(), Connection(KEY, RecordingWire())
    hub.enter(connection, "p_alice", "alice")
    hub.enter(connection, "p_alice", "alice")
    assert hub.count() == 1


def test_who_leaves_is_closed_and_hears_nothing_more():
    async def story():
        bench = Bench(MemoryStore())
        await bench.create()
        await bench.ask(register("bob"))
        _, alice = await bench.connect("alice")
        bob, wire = await bench.connect("bob")
        wire.frames.clear()
        from realtime.core.commands import Receive

        bench.rooms.tell(bob, Receive("p_bob", "LEAVE_ROOM", NOTHING))
        await settled()
        assert (wire.code, wire.frames) == (Close.NORMAL, [])
        assert alice.kinds[-1] == "PLAYER_UPDATE"

    asyncio.run(story())
