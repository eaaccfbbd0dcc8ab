"""The actor: one batch at a time from turn to commit to release, and every outcome of a commit."""

import asyncio
import logging
from typing import Any

import pytest

from config import env
from contracts.errors import Code, RoomError
from realtime.core.commands import Inspect, Receive
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.engine.memory_store import MemoryStore
from tests.support.engine import KEY, NOTHING, Bench, register, settled, until
from tests.support.faulty_store import (
    CountingStore,
    DownStore,
    LostAnswerStore,
    PausedStore,
    RejectingStore,
    SharedStore,
)
from tests.support.virtual_time import told_at_once


async def refusal(awaitable) -> Code:
    with pytest.raises(RoomError) as caught:
        await awaitable
    return caught.value.code


def test_nothing_leaves_before_its_commit():
    async def story():
        store = PausedStore()
        store.gate.set()
        bench = Bench(store)
        await bench.create()
        _, wire = await bench.connect("alice")
        store.gate.clear()
        wire.frames.clear()
        answer = asyncio.ensure_future(bench.ask(register("bob")))
        await settled()
        assert not answer.done()
        assert wire.frames == []
        store.gate.set()
        await answer
        await settled()
        assert wire.kinds == ["PLAYER_UPDATE"]

    told_at_once(story())


def test_what_waits_together_is_one_commit():
    async def story():
        store = CountingStore()
        bench = Bench(store)
        await bench.create()
        await asyncio.gather(*(bench.ask(register(f"player{n}")) for n in range(50)))
        assert len(store.commits) == 2
        assert [row.version for row in store.journals[KEY]] == list(range(1, 52))

    told_at_once(story())


def test_300_joiners_on_a_cap_of_99():
    async def story():
        bench = Bench(MemoryStore())
        await bench.create()
        asks = [bench.ask(register(f"player{n}")) for n in range(300)]
        answers = await asyncio.gather(*asks, return_exceptions=True)
        refused = [one.code for one in answers if isinstance(one, RoomError)]
        assert refused == [Code.ROOM_FULL] * 202
        assert (await bench.ask(Inspect())).player_counts.players == 99

    told_at_once(story())


def test_a_lost_race_runs_again_on_what_won():
    async def story():
        store = SharedStore()
        here, there = Bench(store), Bench(store)
        await here.create(playerCap=3)
        await there.ask(register("bob"))  # `here` does not know
        await here.ask(register("carl"))
        assert await refusal(there.ask(register("dora"))) == Code.ROOM_FULL
        assert set(store.seats[KEY]) == {"p_alice", "p_bob", "p_carl"}

    told_at_once(story())


def test_a_refusal_confirms_first_that_memory_is_not_stale():
    async def story():
        store = SharedStore()
        here, there = Bench(store), Bench(store)
        await here.create(playerCap=2)
        await there.ask(register("bob"))
        leave = Receive("p_bob", "LEAVE_ROOM", NOTHING)
        await here.ask(leave)
        assert await there.ask(register("carl"))  # full, as far as `there` remembers

    told_at_once(story())


def test_absence_is_confirmed_too():
    async def story():
        store = SharedStore()
        here, there = Bench(store), Bench(store)
        assert await refusal(there.ask(register("bob"))) == Code.ROOM_NOT_FOUND
        await here.create()
        assert await there.ask(register("bob"))

    told_at_once(story())


def test_a_host_who_loses_the_race_to_create_is_told_so():
    async def story():
        store = SharedStore()
        here, there = Bench(store), Bench(store)
        await here.create("alice")
        assert await refusal(there.create("bob")) == Code.ROOM_ALREADY_EXISTS
        assert set(store.seats[KEY]) == {"p_alice"}

    told_at_once(story())


def test_a_guess_that_there_is_no_room_is_never_believed_by_others():
    """A host's bad register guesses absence; the join behind it must not be told a lie."""

    async def story():
        store = CountingStore()
        await Bench(store).create()
        fresh = Bench(store)
        answers: Any = await asyncio.gather(
            fresh.create("zoe", playerCap=0), fresh.ask(register("bob")), return_exceptions=True
        )
        assert answers[0].code == Code.ROOM_ALREADY_EXISTS
        assert answers[1].ok

    told_at_once(story())


def test_an_unknown_outcome_is_forgotten_and_asking_again_is_safe():
    async def story():
        store = LostAnswerStore()
        bench = Bench(store)
        await bench.create()
        store.failing = True
        assert await refusal(bench.ask(register("bob"))) == Code.STORAGE_UNAVAILABLE
        again = await bench.ask(register("bob"))
        assert again.counts.players == 2
        assert len(store.journals[KEY]) == 2

    told_at_once(story())


def test_a_database_that_hangs_answers_everybody_in_time():
    async def story():
        store = PausedStore()
        bench = Bench(store, commit_deadline_s=0.05, batch_size=2)
        asks = [bench.create(), *(bench.ask(register(f"player{n}")) for n in range(5))]
        answers: list[Any] = await asyncio.gather(*asks, return_exceptions=True)
        assert asyncio.get_running_loop().time() < 3 * 0.05 + 0.01
        assert [one.code for one in answers] == [Code.STORAGE_UNAVAILABLE] * 6
        store.gate.set()
        assert await bench.create()

    told_at_once(story())


def test_the_default_deadline_is_two_seconds():
    assert env.load({}).commit_deadline_s == 2.0


def test_storage_that_is_down_announces_nothing_and_recovers():
    async def story():
        store = DownStore()
        bench = Bench(store)
        await bench.create()
        alice, wire = await bench.connect("alice")
        wire.frames.clear()
        store.down = True
        bench.say(alice)
        assert await refusal(bench.ask(register("bob"))) == Code.STORAGE_UNAVAILABLE
        assert [frame["payload"]["code"] for frame in wire.frames] == ["STORAGE_UNAVAILABLE"]
        assert wire.frames[0]["requestId"] == "r1"
        store.down = False
        bench.say(alice)
        await settled()
        assert wire.kinds[1:] == ["CHAT_APPEND"]

    told_at_once(story())


def test_a_constraint_is_an_error_of_that_batch_and_the_room_goes_on():
    async def story():
        store = RejectingStore()
        bench = Bench(store)
        await bench.create()
        store.rejected = KEY
        assert await refusal(bench.ask(register("bob"))) == Code.INTERNAL_ERROR
        store.rejected = None
        assert await bench.ask(register("bob"))

    told_at_once(story())


def test_who_missed_an_announcement_is_shown_the_room_anew():
    """Kept, but the answer was lost: asking again announces nothing, so all are owed a view."""

    async def story():
        store = LostAnswerStore()
        bench = Bench(store, refresh_interval_s=0.01)
        await bench.create()
        _, wire = await bench.connect("alice")
        wire.frames.clear()
        store.failing = True
        assert await refusal(bench.ask(register("bob"))) == Code.STORAGE_UNAVAILABLE
        await until(lambda: wire.kinds == ["ROOM_SNAPSHOT"])
        assert len(wire.frames[0]["payload"]["players"]) == 2

    told_at_once(story())


def test_a_view_that_is_owed_outlives_an_outage():
    async def story():
        store = DownStore()
        bench = Bench(store, refresh_interval_s=0.01)
        await bench.create()
        _, wire = await bench.connect("alice")
        wire.frames.clear()
        store.down = True
        assert await refusal(bench.ask(register("bob"))) == Code.STORAGE_UNAVAILABLE
        await until(lambda: store.refused >= 3)  # the refresh itself was refused, and tried again
        store.down = False
        await until(lambda: "ROOM_SNAPSHOT" in wire.kinds)

    told_at_once(story())


def test_an_outage_is_told_to_the_operator_once(caplog):
    async def story():
        store = DownStore()
        bench = Bench(store)
        store.down = True
        for _ in range(20):
            assert await refusal(bench.ask(register("bob"))) == Code.STORAGE_UNAVAILABLE

    told_at_once(story())
    (line,) = [
        record.getMessage() for record in caplog.records if record.name == "contracts.complaints"
    ]
    assert line == "1 failed commits, the last: no connection"


class BrokenParty(Party):
    """Breaks when told to."""

    slug = "broken"

    @message("break")
    def break_down(self, room, player) -> None:
        raise LookupError("what a player wrote: t_alice")


def test_a_bug_is_named_to_the_caller_and_logged_without_what_it_says(caplog):
    async def story():
        bench = Bench(MemoryStore(), parties=(BrokenParty(),))
        key = RoomKey("broken", "K7PQ2M")
        await bench.create(key=key)
        alice, wire = await bench.connect("alice", key)
        bench.rooms.tell(alice, Receive("p_alice", "break", NOTHING))
        await settled()
        return wire.frames[-1]["payload"]

    with caplog.at_level(logging.INFO):
        error = told_at_once(story())
    assert error["code"] == "INTERNAL_ERROR"
    name = error["message"].split("error ")[1].rstrip(")")
    assert name in caplog.text
    assert "LookupError" in caplog.text
    assert "t_alice" not in caplog.text
    assert "Traceback" not in caplog.text


def test_a_refusal_that_cannot_be_said_strands_nobody():
    class Speechless(Party):
        slug = "speechless"

        @message("refuse")
        def refuse(self, room, player) -> None:
            unspeakable: Any = object()
            raise RoomError(Code.FORBIDDEN, details=[unspeakable])

    async def story():
        bench = Bench(MemoryStore(), parties=(Speechless(),))
        key = RoomKey("speechless", "K7PQ2M")
        await bench.create(key=key)
        alice, wire = await bench.connect("alice", key)
        bench.rooms.tell(alice, Receive("p_alice", "refuse", NOTHING))
        assert (await bench.ask(register("bob"), key)).ok
        await settled()
        codes = [frame["payload"].get("code") for frame in wire.frames]
        assert "INTERNAL_ERROR" in codes
        assert wire.kinds[-1] == "PLAYER_UPDATE"

    told_at_once(story())


def code_of(ask: asyncio.Future[Any]) -> Code:
    """Why it was refused."""
    error = ask.exception()
    assert isinstance(error, RoomError)
    return error.code


def test_a_full_mailbox_says_so():
    async def story():
        store = PausedStore()
        bench = Bench(store, mailbox_size=3)
        asks = [asyncio.ensure_future(bench.create())]
        await settled()
        asks += [asyncio.ensure_future(bench.ask(register(f"player{n}"))) for n in range(5)]
        await settled()
        codes = [code_of(ask) for ask in asks if ask.done()]
        assert codes == [Code.ROOM_BUSY] * 2
        store.gate.set()
        await asyncio.gather(*asks, return_exceptions=True)

    told_at_once(story())


def test_who_looks_at_a_room_takes_no_place_of_a_player():
    async def story():
        store = PausedStore()
        store.gate.set()
        bench = Bench(store, mailbox_size=10)
        await bench.create()
        connection, wire = await bench.connect("alice")
        store.gate.clear()
        joining = asyncio.ensure_future(bench.ask(register("bob")))
        await settled()
        looks = [asyncio.ensure_future(bench.look()) for _ in range(2000)]
        await settled()
        bench.say(connection)
        store.gate.set()
        answers: list[Any] = await asyncio.gather(*looks, return_exceptions=True)
        await joining
        assert wire.kinds[-1] == "CHAT_APPEND"
        assert [answer.player_count for answer in answers[:10]] == [2] * 10
        assert {answer.code for answer in answers[10:]} == {Code.ROOM_BUSY}

    told_at_once(story())


def test_a_look_is_never_older_than_the_question():
    async def story():
        store = PausedStore()
        store.gate.set()
        bench = Bench(store)
        await bench.create()
        store.gate.clear()
        first = asyncio.ensure_future(bench.look())
        joining = asyncio.ensure_future(bench.ask(register("bob")))
        await settled()  # the look came first; bob is being committed
        late = [asyncio.ensure_future(bench.look()) for _ in range(3)]
        await settled()
        assert first.done()
        assert not any(look.done() for look in late)
        store.gate.set()
        await joining
        assert (await first).player_count == 1
        assert [(await look).player_count for look in late] == [2, 2, 2]

    told_at_once(story())


def test_as_many_may_wait_for_a_look_as_for_a_turn():
    async def story():
        store = PausedStore()
        bench = Bench(store, mailbox_size=3)
        creating = asyncio.ensure_future(bench.create())
        await settled()
        looks = [asyncio.ensure_future(bench.look()) for _ in range(5)]
        await settled()
        assert [code_of(look) for look in looks if look.done()] == [Code.ROOM_BUSY] * 2
        looks[0].cancel()
        store.gate.set()
        await creating
        assert [(await look).player_count for look in looks[1:3]] == [1, 1]

    told_at_once(story())


def test_a_look_that_fails_fails_for_all_and_the_next_is_a_new_one():
    async def story():
        store = DownStore()
        await Bench(store).create()
        bench = Bench(store)
        store.down = True
        looks = [asyncio.ensure_future(bench.look()) for _ in range(3)]
        assert [await refusal(look) for look in looks] == [Code.STORAGE_UNAVAILABLE] * 3
        store.down = False
        assert (await bench.look()).player_count == 1
        assert await refusal(bench.look(RoomKey("leet99", "NONE22"))) == Code.ROOM_NOT_FOUND

    told_at_once(story())


def test_a_caller_who_goes_away_does_not_stop_the_command():
    async def story():
        store = PausedStore()
        bench = Bench(store)
        ask = asyncio.ensure_future(bench.create())
        await settled()
        ask.cancel()
        store.gate.set()
        await settled()
        assert (await bench.ask(Inspect())).player_count == 1

    told_at_once(story())


def test_a_socket_that_closed_while_it_joined_never_enters():
    async def story():
        store = PausedStore()
        store.gate.set()
        bench = Bench(store)
        await bench.create()
        store.gate.clear()
        from realtime.auth import token_hash
        from realtime.core.commands import Connect
        from realtime.engine.hub import Connection
        from tests.support.engine import RecordingWire

        connection = Connection(KEY, RecordingWire())
        ask = asyncio.ensure_future(
            bench.rooms.ask(KEY, Connect(token_hash("t_alice")), connection)
        )
        await settled()
        bench.hub.drop(connection)
        store.gate.set()
        await ask
        assert bench.hub.count() == 0

    told_at_once(story())


def test_idle_rooms_are_let_go_and_come_back():
    async def story():
        store = CountingStore()
        bench = Bench(store, room_idle_s=0.04)
        await bench.create()
        bench.now += 1
        await until(lambda: bench.rooms.count() == 0)
        assert (await bench.ask(Inspect())).player_count == 1
        assert store.loads == 1

    told_at_once(story())


def test_a_quiet_room_with_sockets_dozes_and_goes_on():
    async def story():
        store = CountingStore()
        bench = Bench(store, room_idle_s=0.04)
        await bench.create("alice")
        connection, wire = await bench.connect("alice")
        bench.now += 1
        await asyncio.sleep(0.4)
        assert (bench.rooms.count(), store.loads) == (1, 0)
        bench.say(connection)
        await until(lambda: "CHAT_APPEND" in wire.kinds[-1:])
        assert store.loads == 1
        bench.say(connection)
        await until(lambda: wire.kinds[-2:] == ["CHAT_APPEND"] * 2)
        assert store.loads == 1

    told_at_once(story())


def test_an_unknown_room_leaves_nothing_in_memory():
    async def story():
        bench = Bench(MemoryStore())
        assert await refusal(bench.ask(register("bob"))) == Code.ROOM_NOT_FOUND
        await settled()
        assert bench.rooms.count() == 0

    told_at_once(story())


def test_refreshes_that_wait_become_one():
    async def story():
        bench = Bench(MemoryStore(), refresh_interval_s=0.02)
        await bench.create()
        _, wire = await bench.connect("alice")
        wire.frames.clear()
        for n in range(20):
            await bench.ask(register(f"player{n}"))
        await until(lambda: "ROOM_SNAPSHOT" in wire.kinds)
        await asyncio.sleep(0.05)
        assert wire.kinds.count("ROOM_SNAPSHOT") == 1
        assert len(wire.frames[-1]["payload"]["players"]) == 21
        assert "seq" not in wire.frames[-1]

    told_at_once(story())


def test_closing_finishes_what_was_taken_on_and_takes_no_more():
    async def story():
        store = PausedStore()
        bench = Bench(store)
        ask = asyncio.ensure_future(bench.create())
        await settled()
        closing = asyncio.ensure_future(bench.rooms.close())
        await settled()
        assert await refusal(bench.ask(Inspect())) == Code.REALTIME_UNAVAILABLE
        store.gate.set()
        await closing
        assert (await ask).ok

    told_at_once(story())
