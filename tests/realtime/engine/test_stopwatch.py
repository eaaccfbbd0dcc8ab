"""Slow turns: no commit is charged for them, and the log says where they are."""

import asyncio
import logging
import re
import sys
import threading
import time
from typing import Any

import pytest

from realtime.core.commands import Receive
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.relay import Relay
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.core.rows import RoomKey
from realtime.engine.memory_store import MemoryStore
from realtime.engine.stopwatch import where_in_party
from tests.support.engine import NOTHING, Bench, register, settled, until
from tests.support.stores import on
from tests.support.virtual_time import told_at_once

SLOW = RoomKey("slow", "K7PQ2M")
QUICK = RoomKey("chat", "QUICK1")
LOGGER = "realtime.engine.stopwatch"
HANG_S = 60.0  # for what never comes


class SlowParty(Party):
    """Takes as long as the test says, wherever the test says."""

    slug = "slow"

    def __init__(self, wait) -> None:
        self.wait = wait

    @message("work")
    def work(self, room: Room, player: Player) -> None:
        self.wait()
        room.broadcast("worked", {})

    @message("plan")
    def plan(self, room: Room, player: Player) -> None:
        room.alarm("bell", 0)

    def on_alarm(self, room: Room, name: str) -> None:
        self.wait()

    @message("glance", volatile=True)
    def glance(self, relay: Relay) -> None:
        self.wait()


class DistantStore(MemoryStore):
    """Every commit is a second on its way."""

    async def commit(self, commit):
        await asyncio.sleep(1)
        return await super().commit(commit)


async def enter(bench, key=SLOW):
    await bench.ask(register("alice", host=True), key)
    return await bench.connect("alice", key)


def test_a_handler_longer_than_the_deadline_is_told_truly_and_costs_other_rooms_nothing():
    async def story():
        loop: Any = asyncio.get_running_loop()

        def wait() -> None:
            loop._jumping.now += 3

        bench = Bench(DistantStore(), (SlowParty(wait),))
        bench.rooms.stopwatch._clock = loop.time
        alice, wire = await enter(bench)
        other = asyncio.ensure_future(bench.ask(register("bob", host=True), QUICK))
        await asyncio.sleep(0.5)  # bob's commit is under way
        answer = bench.rooms.ask(SLOW, Receive("p_alice", "work", NOTHING), alice)
        assert await answer is None
        assert (await other).counts.players == 1
        await settled()
        assert wire.kinds[-1] == "worked"

    told_at_once(story())


def test_it_is_the_same_on_real_storage(database):
    slow_turn_on(database, held=False)


def test_it_is_the_same_while_the_room_is_held(postgresql):
    """PostgreSQL ends a transaction that was idle for so long."""
    slow_turn_on(postgresql, held=True)


def slow_turn_on(place, *, held):
    async def story(store):
        bench = Bench(store, (SlowParty(lambda: time.sleep(2.5)),))
        alice, wire = await enter(bench)
        if held:  # as after a lost race
            bench.rooms._actor(SLOW)._memory._contended_until = bench.now + HANG_S
        await bench.rooms.ask(SLOW, Receive("p_alice", "work", NOTHING), alice)
        await until(lambda: "worked" in wire.kinds)
        assert (await store.load(SLOW)).version == len(place.journal(SLOW))

    on(place, story)


@pytest.mark.parametrize("how", ["work", "plan", "glance"])
def test_the_log_names_where_a_slow_turn_is_while_it_runs(how, caplog):
    """The handler ends only when it was named: an endless one is named as well."""
    named, left = threading.Event(), threading.Event()

    class Watching(logging.Handler):
        def emit(self, record):
            named.set()

    def wait() -> None:
        named.wait(HANG_S)
        left.set()

    async def story():
        bench = Bench(MemoryStore(), (SlowParty(wait),), slow_turn_s=0.05)
        bench.rooms.stopwatch.start()
        alice, _ = await enter(bench)
        if how == "glance":
            bench.rooms.relay(alice, SlowParty.messages[how], NOTHING)
        else:
            bench.rooms.tell(alice, Receive("p_alice", how, NOTHING))
        await until(left.is_set, HANG_S)
        await settled()
        bench.rooms.stopwatch.close()

    watching = Watching()
    logging.getLogger(LOGGER).addHandler(watching)
    try:
        with caplog.at_level(logging.WARNING, LOGGER):
            asyncio.run(story())
    finally:
        logging.getLogger(LOGGER).removeHandler(watching)
    during, after = caplog.messages
    handler = {"plan": "on_alarm"}.get(how, how)
    assert re.search(
        r"^slow/K7PQ2M: a turn has kept all rooms of this process waiting for \d+\.\d\d s, "
        rf"at test_stopwatch\.py:\d+ SlowParty\.{handler}, in threading\.py:\d+ ",
        during,
    )
    assert re.fullmatch(r"slow/K7PQ2M: the turn took \d+\.\d\d s", after)


def test_code_that_is_of_no_module_has_a_place_too():
    """As templates and formulas are. The thread that asks for it lives on."""
    frames = []
    code = compile("look()", "formula", "eval")
    eval(code, {"look": lambda: frames.append(sys._getframe(1))})
    assert where_in_party(frames[0]).endswith("in formula:1 <module>")


def test_quick_turns_are_not_worth_a_line(caplog):
    async def story():
        bench = Bench(MemoryStore(), (SlowParty(lambda: None),))
        bench.rooms.stopwatch.start()
        alice, _ = await enter(bench)
        await bench.rooms.ask(SLOW, Receive("p_alice", "work", NOTHING), alice)
        bench.rooms.stopwatch.close()

    with caplog.at_level(logging.WARNING, LOGGER):
        asyncio.run(story())
    assert caplog.messages == []
