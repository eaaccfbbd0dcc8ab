"""The hub: frames reach the sockets of their room, and no others."""

import asyncio
from collections.abc import Callable
from itertools import chain
from random import Random
from typing import Any

import pytest

from contracts.errors import RoomError
from contracts.limits import SOCKETS_PER_PLAYER
from contracts.sockets import Close
from realtime.auth import token_hash
from realtime.core.commands import Connect
from realtime.core.effects import Disconnect, Enter, Reply, ToAll, ToEach, ToPlayer
from realtime.core.rows import RoomKey
from realtime.engine.frames import Frames
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
        unheard = RecordingWire()
        stranger = Connection(KEY, unheard)
        with pytest.raises(RoomError):
            await bench.rooms.ask(KEY, Connect(token_hash("a guess")), stranger)
        there.frames.clear()
        bench.say(alice)
        await settled()
        assert here.kinds[-1] == "CHAT_APPEND"
        assert there.frames == unheard.frames == []

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


# -- one tick ------------------------------------------------------------------------------------


class Wire:
    """A way out that notes each write. What is sent to all stands in a tuple."""

    write: Callable[[bytes], None] | None = None

    def __init__(self) -> None:
        self.writes: list[Any] = []
        self.batches: list[Frames] = []

    def send(self, frame):
        self.writes.append(frame.decode())

    def send_all(self, frames):
        self.batches.append(frames)
        self.writes.append(tuple(frame.decode() for frame in frames.each))

    def show(self, view, *, replaces):
        self.writes.append(f"view {view.decode().rstrip('}')}" + " that replaces" * replaces)

    def close(self, code):
        self.writes.append(code)


class Members:
    """A hub, and the connections of some players in one room."""

    def __init__(self, *names, key=KEY):
        self.hub, self.key, self.of = Hub(), key, {}
        for name in names:
            self.enters(name)

    def enters(self, name):
        connection = self.of[name] = Connection(self.key, Wire())
        self.hub.enter(connection, f"p_{name}", name)
        return connection

    def happens(self, *effects, origin=None, key=KEY):
        self.hub.deliver(key, effects, self.of.get(origin))

    def got(self, name):
        return self.of[name].wire.writes


def to_all(*frames):
    return [ToAll(frame.encode()) for frame in frames]


def to_each(kept=False, **views):
    """A view for each of these players, whoever is here."""
    own = {f"p_{name}": view.encode() + b"}" for name, view in views.items()}
    return ToEach(b"", b"", own, kept)


def told(story):
    asyncio.run(story())


def test_what_a_tick_tells_all_is_one_write_for_each_and_one_encoding():
    async def story():
        members = Members("alice", "bob")
        members.happens(*to_all("a", "b"))
        members.happens(*to_all("c"))
        assert members.got("alice") == []
        await asyncio.sleep(0)
        assert members.got("alice") == members.got("bob") == [("a", "b", "c")]
        assert members.of["alice"].wire.batches[0] is members.of["bob"].wire.batches[0]
        members.happens(*to_all("d"))
        await asyncio.sleep(0)
        assert members.got("bob") == [("a", "b", "c"), ("d",)]

    told(story)


def test_what_is_meant_for_one_keeps_its_place_among_what_all_are_told():
    async def story():
        members = Members("alice", "bob", "carol")
        members.happens(*to_all("a", "b"), Reply(b"only alice"), *to_all("c"), origin="alice")
        members.happens(ToPlayer("p_bob", b"only bob"), *to_all("d"))
        members.hub.send(members.of["alice"], b"alice again")
        await settled()
        assert members.got("alice") == [("a", "b"), "only alice", ("c", "d"), "alice again"]
        assert members.got("bob") == [("a", "b", "c"), "only bob", ("d",)]
        assert members.got("carol") == [("a", "b", "c", "d")]
        members.happens(*to_all("e"))
        await settled()
        assert [members.got(name)[-1] for name in ("alice", "bob", "carol")] == [("e",)] * 3

    told(story)


def test_who_enters_gets_its_view_and_nothing_that_was_said_before():
    async def story():
        members = Members("alice")
        wire = Wire()
        members.of["bob"] = Connection(KEY, wire)
        members.happens(*to_all("a"))
        members.happens(
            *to_all("b"), Enter("p_bob", "bob", b"room"), *to_all("bob is here"), origin="bob"
        )
        members.happens(*to_all("c"))
        assert wire.writes == ["view room"]
        await settled()
        assert wire.writes == ["view room", ("bob is here", "c")]
        assert members.got("alice") == [("a", "b", "bob is here", "c")]

    told(story)


def test_who_enters_again_gets_what_was_said_before_its_view():
    async def story():
        for others in ((), ("bob",)):
            members = Members("alice", *others)
            members.happens(*to_all("a"))
            members.happens(Enter("p_alice", "alice", b"room"), *to_all("b"), origin="alice")
            await settled()
            assert members.got("alice") == [("a",), "view room", ("b",)]
            assert members.hub.count() == 1 + len(others)

    told(story)


def test_views_for_each_leave_after_what_was_said_before_them():
    async def story():
        members = Members("alice", "bob", "carol")
        views = to_each(alice="A", bob="B", gone="G")
        members.happens(*to_all("a"), ToPlayer("p_bob", b"psst"), *to_all("b"), views)
        members.happens(*to_all("c"))
        assert members.got("alice") == [("a", "b"), "view A that replaces"]
        await settled()
        assert members.got("alice")[2:] == members.got("bob")[-1:] == [("c",)]
        assert members.got("bob")[:-1] == [("a",), "psst", ("b",), "view B that replaces"]
        assert members.got("carol") == [("a", "b"), ("c",)]

    told(story)


def test_who_is_disconnected_hears_all_that_came_before_and_nothing_after():
    async def story():
        members = Members("alice", "bob")
        members.happens(*to_all("a"), Disconnect("p_bob", Close.REMOVED), *to_all("bob is gone"))
        assert members.got("bob") == [("a",), Close.REMOVED]
        await settled()
        assert members.got("bob") == [("a",), Close.REMOVED]
        assert members.got("alice") == [("a", "bob is gone")]

    told(story)


def test_a_socket_that_is_gone_in_the_middle_of_a_tick_costs_the_others_nothing():
    async def story():
        members = Members("alice", "bob")
        members.happens(*to_all("a"), Reply(b"only bob"), origin="bob")
        members.hub.drop(members.of["bob"])
        members.happens(*to_all("b"))
        await settled()
        assert members.got("bob") == [("a",), "only bob"]
        assert members.got("alice") == [("a", "b")]

    told(story)


def test_a_room_that_empties_in_a_tick_and_fills_again_starts_anew():
    async def story():
        members = Members("alice")
        alice = members.of["alice"]
        members.happens(*to_all("a"))
        members.hub.drop(alice)
        bob = members.enters("bob")
        members.happens(*to_all("b"))
        await settled()
        assert (alice.wire.writes, bob.wire.writes) == ([], [("b",)])

    told(story)


def test_rooms_that_are_closed_hear_the_last_word_first():
    async def story():
        members = Members("alice", "bob")
        members.happens(*to_all("the end"))
        members.hub.expel(KEY, Close.ROOM_NOT_FOUND)
        assert members.got("alice") == members.got("bob") == [("the end",), Close.ROOM_NOT_FOUND]
        await settled()
        assert members.hub.count() == 0

    told(story)


def test_rooms_do_not_wait_for_each_other():
    async def story():
        members = Members("alice")
        there = members.of["bob"] = Connection(OTHER, Wire())
        members.hub.enter(there, "p_bob", "bob")
        members.happens(*to_all("here"))
        members.happens(*to_all("there"), key=OTHER)
        members.happens(to_each(bob="B"), *to_all("again"), key=OTHER)
        await settled()
        assert members.got("alice") == [("here",)]
        assert members.got("bob") == [("there",), "view B that replaces", ("again",)]

    told(story)


def test_what_is_left_at_the_end_of_a_process_can_be_sent_at_once():
    async def story():
        members = Members("alice")
        members.happens(*to_all("the last"))
        members.hub.flush()
        assert members.got("alice") == [("the last",)]
        await settled()
        assert members.got("alice") == [("the last",)]

    told(story)


def test_whatever_happens_in_a_tick_each_hears_it_in_one_order():
    async def story():
        chance = Random(7)
        for _ in range(300):
            members = Members("alice", "bob", "carol")
            made = [await something(members, chance, number) for number in range(8)]
            await asyncio.sleep(0)
            for name in members.of:
                writes = [write for write in members.got(name) if isinstance(write, tuple)]
                assert list(chain(*writes)) == list(chain(*made))

    told(story)


async def something(members, chance, number):
    """Something happens. Returns what all are to hear of it."""
    name = chance.choice(["alice", "bob", "carol"])
    alone = {
        "one": Reply(b"direct"),
        "each": to_each(kept=True, **{name: "V"}),
        "again": Enter(f"p_{name}", name, b"V"),
    }
    kind = chance.choice(["all", "all", "tick", *alone])
    if kind == "all":
        members.happens(*to_all(str(number)))
        return (str(number),)
    if kind == "tick":
        await asyncio.sleep(0)
    else:
        members.happens(alone[kind], origin=name)
    return ()


class BrokenWire(Wire):
    """A wire that raises, whatever it is to write."""

    def send_all(self, frames):
        raise RuntimeError("the handler is closed")


def test_a_wire_that_raises_is_closed_and_the_others_hear_all():
    async def story():
        members = Members("alice", "bob", "carol")
        members.of["bob"].wire = BrokenWire()
        there = Members("dave", key=OTHER)
        there.hub = members.hub
        dave = there.enters("erin")
        members.happens(*to_all("a"))
        members.happens(*to_all("z"), key=OTHER)
        await settled()
        assert members.got("bob") == [Close.BUG]
        assert members.got("alice") == members.got("carol") == [("a",)]
        assert dave.wire.writes == [("z",)]

    told(story)
