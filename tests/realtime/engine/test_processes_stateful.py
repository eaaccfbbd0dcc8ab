"""Any history of three processes on one room, over a bus that is slow, loses, and breaks."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.errors import RoomError
from realtime.core.commands import Remove
from tests.support.engine import register
from tests.support.processes import (
    ROOM,
    CommonStore,
    Exchange,
    Process,
    Socket,
    connected,
    quiet,
    stored,
)
from tests.support.virtual_time import VirtualTimeLoop

PROCESSES = st.integers(0, 2)
NAMES = ["alice", "bob", "carl", "dora"]
KINDS = ["ADD", "ADD", "ADD", "ADD_UNSEEN", "SHOW", "WHISPER"]
ALL_IS_SHOWN_S = 75.0  # after a roll call where nobody knows of the dead, and what follows


class Processes(RuleBasedStateMachine):
    """Sockets come, talk and go; processes die and others take their place."""

    @initialize(seed=st.integers(0, 1000), slow=st.sampled_from([0.0, 0.002, 0.05, 0.4]))
    def processes_start(self, seed, slow):
        chance = Random(seed)
        self.loop = VirtualTimeLoop()
        self.exchange = Exchange()
        self.exchange.delay = lambda: chance.uniform(0, slow)
        self.store = CommonStore(lambda: chance.choice([0, 0, 0.001, 0.01]))
        self.processes: list[Process] = []
        self.sockets: list[Socket] = []
        self.removed: set[str] = set()
        self.number = 0
        self.run(self.begins())

    def run(self, story):
        return self.loop.run_until_complete(story)

    async def begins(self):
        for _ in range(3):
            await self.another()
        await self.processes[0].admit("alice", host=True)
        for name in NAMES[1:]:
            await self.processes[0].admit(name)
        await quiet(15)

    async def another(self):
        self.number += 1
        made = Process(self.store, self.exchange, f"process{self.number}")
        await made.start()
        self.processes.append(made)

    @rule(at=PROCESSES, name=st.sampled_from(NAMES))
    def somebody_enters(self, at, name):
        async def story():
            socket = Socket(self.processes[at], name)
            try:
                await socket.join()
            except RoomError:
                return
            self.sockets.append(socket)

        self.run(story())

    @rule(choice=st.integers(0, 20))
    def somebody_joins_again(self, choice):
        if socket := self.one_of(choice):
            self.run(self.joins_again(socket))

    async def joins_again(self, socket):
        try:
            await socket.join()
        except RoomError:
            socket.goes()

    @rule(choices=st.lists(st.tuples(st.integers(0, 20), st.sampled_from(KINDS)), max_size=6))
    def some_speak_at_once(self, choices):
        async def story():
            for choice, kind in choices:
                if socket := self.one_of(choice):
                    socket.says(kind, text="psst")

        self.run(story())

    @rule(choice=st.integers(0, 20))
    def somebody_waves(self, choice):
        async def story():
            if socket := self.one_of(choice):
                socket.waves()

        self.run(story())

    @rule(choice=st.integers(0, 20), by_client=st.booleans())
    def somebody_goes(self, choice, by_client):
        async def story():
            if socket := self.one_of(choice):
                socket.goes(by_client=by_client)

        self.run(story())

    @rule(at=PROCESSES, name=st.sampled_from(NAMES[1:]))
    def somebody_is_removed(self, at, name):
        async def story():
            try:
                await self.processes[at].ask(Remove(f"p_{name}"), ROOM)
            except RoomError:
                return
            self.removed.add(name)

        self.run(story())

    @rule(at=PROCESSES, number=st.integers(0, 5))
    def somebody_registers(self, at, number):
        async def story():
            try:
                await self.processes[at].ask(register(f"guest{number}"), ROOM)
            except RoomError:
                return

        self.run(story())

    @rule(at=PROCESSES)
    def a_process_dies(self, at):
        async def story():
            dead = self.processes.pop(at)
            await dead.die()
            await self.another()
            self.sockets = [one for one in self.sockets if one.process is not dead]

        self.run(story())

    @rule(losses=st.integers(0, 5))
    def news_get_lost(self, losses):
        chance = Random(losses)
        self.exchange.drops = lambda news: chance.random() < losses / 5

    @rule(works=st.booleans())
    def the_bus_breaks_or_works_again(self, works):
        async def story():
            (self.exchange.mend if works else self.exchange.cut)()

        self.run(story())

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.1, 0.3, 3.0]))
    def time_passes(self, seconds):
        self.run(quiet(seconds))

    @rule()
    def in_the_end_all_see_the_same(self):
        async def story():
            self.exchange.drop_none()
            self.exchange.mend()
            await quiet(ALL_IS_SHOWN_S)

        self.run(story())
        for one in self.open:
            assert one.value == stored(self.store)["state"]["value"]
            assert one.made_up_for
        here: dict[str, set[str]] = {}
        for one in self.open:
            here.setdefault(one.process.name, set()).add(f"p_{one.name}")
        assert {name: set(ids) for name, ids in connected(self.store).items()} == here

    @property
    def open(self) -> list[Socket]:
        return [one for one in self.sockets if one.wire.code is None and one.connection.player_id]

    def one_of(self, choice: int) -> Socket | None:
        found = self.open
        return found[choice % len(found)] if found else None

    @invariant()
    def seq_strictly_increases(self):
        for one in getattr(self, "sockets", ()):
            assert one.in_order, one.seqs

    @invariant()
    def the_journal_has_no_gap(self):
        if hasattr(self, "store"):
            versions = [row.version for row in self.store.journals[ROOM]]
            assert versions == [*range(1, len(versions) + 1)]

    def teardown(self):
        if not hasattr(self, "loop"):
            return
        try:
            self.in_the_end_all_see_the_same()
        finally:
            self.run(self.ends())
            left = asyncio.all_tasks(self.loop)
            self.loop.close()
        assert not left

    async def ends(self):
        for one in self.processes:
            await one.close()


Processes.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, print_blob=True
)
TestProcesses = Processes.TestCase
