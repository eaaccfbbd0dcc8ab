"""What two processes show of one room: the same, in one order, whatever is lost between them."""

from __future__ import annotations

import asyncio

from contracts.sockets import Close
from realtime.core.commands import EndRoom
from realtime.engine import showing
from realtime.engine.bus import NoBus
from tests.support.engine import KEY, Bench, RecordingWire, register, until
from tests.support.faulty_store import SharedStore


class Line:
    """What two processes hear each other by. While it is cut, all is lost and nobody is told."""

    def __init__(self) -> None:
        self.ends: list[End] = []
        self.cut = False
        self.carried = 0  # news


class End(NoBus):
    """One process's end of a line."""

    up = True

    def __init__(self, line: Line) -> None:
        self.line = line
        line.ends.append(self)

    def publish(self, key, news) -> None:
        self.line.carried += 1
        for end in self.line.ends:
            if end is not self and not self.line.cut:
                end.bench.rooms.heard(news)


async def two(line: Line) -> tuple[Bench, Bench]:
    store = SharedStore()
    both = []
    for name in ("here", "there"):
        bench = Bench(store, bus=End(line), process=name, refresh_interval_s=0.01)
        bench.bus.bench = bench
        await bench.peers.beat()
        both.append(bench)
    return both[0], both[1]


def heard(wire: RecordingWire) -> list[tuple[int, str]]:
    """What players said, line by line."""
    frames = [frame for frame in wire.frames if frame["type"] == "CHAT_APPEND"]
    told = [(frame["seq"], frame["payload"]["message"]) for frame in frames]
    return [(seq, line["text"]) for seq, line in told if line["kind"] == "user"]


def seen(wire: RecordingWire) -> list[str]:
    """What players said, by the newest view."""
    views = [frame for frame in wire.frames if frame["type"] == "ROOM_SNAPSHOT"]
    return [line["text"] for line in views[-1]["payload"]["chat"] if line["kind"] == "user"]


class Pair:
    """Alice is connected to one process, Bob to the other."""

    @classmethod
    async def made(cls) -> Pair:
        pair = cls()
        pair.line = Line()
        pair.here, pair.there = await two(pair.line)
        await pair.here.create()
        await pair.there.ask(register("bob"))
        pair.alice, pair.first = await pair.here.connect("alice")
        pair.bob, pair.second = await pair.there.connect("bob")
        await until(pair.quiet)
        return pair

    def quiet(self) -> bool:
        """Whether nobody is owed a view."""
        return all(bench.rooms._actor(KEY).idle for bench in (self.here, self.there))


def test_sockets_at_both_see_the_same():
    async def story():
        pair = await Pair.made()
        for number in range(2):  # both at once: one of them loses, and runs again
            pair.here.say(pair.alice, f"alice {number}")
            pair.there.say(pair.bob, f"bob {number}")
        await until(lambda: len(heard(pair.first)) == len(heard(pair.second)) == 4)
        assert heard(pair.first) == heard(pair.second)
        seqs = [seq for seq, _ in heard(pair.first)]
        assert seqs == [*range(seqs[0], seqs[0] + 4)]

    asyncio.run(story())


def test_a_room_whose_sockets_are_all_here_is_nobody_elses_news():
    async def story():
        line = Line()
        here, _ = await two(line)
        await here.create()
        alice, wire = await here.connect("alice")
        here.say(alice)
        await until(lambda: heard(wire))
        assert line.carried == 0

    asyncio.run(story())


def test_a_view_makes_up_for_what_was_lost():
    async def story():
        pair = await Pair.made()
        pair.line.cut = True
        pair.here.say(pair.alice, "lost")
        await until(lambda: heard(pair.first))
        pair.line.cut = False
        pair.here.say(pair.alice, "heard too early")
        await until(lambda: seen(pair.second) == ["lost", "heard too early"])
        assert heard(pair.second) == []

    asyncio.run(story())


def test_what_storage_has_is_shown_though_nobody_announced_it():
    async def story():
        pair = await Pair.made()
        pair.line.cut = True
        pair.here.say(pair.alice, "lost")
        await until(lambda: heard(pair.first))
        for key, version in (await pair.there.engine.store.versions([KEY])).items():
            pair.there.rooms.head(key, version)
        await until(lambda: seen(pair.second) == ["lost"])

    asyncio.run(story())


def test_a_view_that_a_peer_owes_and_does_not_send_is_sent_in_its_place(monkeypatch):
    monkeypatch.setattr(showing, "PEER_REFRESHES_S", 0.1)

    async def story():
        pair = await Pair.made()
        pair.second.frames.clear()
        await pair.here.ask(register("carl"))  # who is to be shown to everybody, soon
        pair.line.cut = True
        await until(lambda: pair.second.kinds == ["PLAYER_UPDATE", "ROOM_SNAPSHOT"])

    asyncio.run(story())


def test_a_room_that_a_peer_has_closed_lets_its_sockets_go():
    async def story():
        pair = await Pair.made()
        pair.line.cut = True
        await pair.here.ask(EndRoom())
        for key, version in (await pair.there.engine.store.versions([KEY])).items():
            pair.there.rooms.head(key, version)
        await until(lambda: pair.second.code)
        assert pair.second.code is Close.ROOM_NOT_FOUND

    asyncio.run(story())


def test_a_volatile_frame_reaches_both():
    async def story():
        pair = await Pair.made()
        pair.here.rooms.relay(pair.alice).broadcast("chat.typing", {})
        assert pair.first.kinds[-1] == pair.second.kinds[-1] == "chat.typing"

    asyncio.run(story())
