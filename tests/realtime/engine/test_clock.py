"""The clock: alarms ring on time, after a restart too, and presence becomes turns."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.sockets import Close
from realtime.auth import token_hash
from realtime.core.commands import Connect, Inspect, Receive
from realtime.core.rows import RoomKey
from realtime.engine import clock as clocks
from realtime.engine.hub import Connection
from realtime.engine.memory_store import MemoryStore
from realtime.engine.store import StorageUnavailable
from tests.realtime.core.test_alarms import Timers
from tests.support.engine import KEY, Bench, RecordingWire, register, settled, until
from tests.support.faulty_store import (
    AlarmRejectingStore,
    DownStore,
    PausedStore,
    RejectingAlarmStore,
    SharedStore,
    UnprunableStore,
    UnwritableAlarmStore,
    UnwritableStore,
)

pytestmark = pytest.mark.anyio
TIMERS = RoomKey("timers", "K7PQ2M")


@pytest.fixture
def store():
    return MemoryStore()


def bench_on(store, **limits) -> Bench:
    return Bench(store, (Timers(),), **limits)


async def plan(bench: Bench, after_s: float, key: RoomKey = TIMERS) -> None:
    payload = jsonio.raw({"name": "tea", "after_s": after_s})
    await bench.rooms.ask(key, Receive("p_alice", "plan", payload))


def rang(store, key: RoomKey = TIMERS) -> int:
    return sum(
        b'"name":"tea"' in row.entry for row in store.journals[key] if row.command == "alarm"
    )


async def test_a_room_in_memory_rings_on_time_by_itself(store):
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 0.05)
    bench.now += 0.05
    await until(lambda: rang(store) == 1, limit_s=1)


async def test_a_timer_that_fires_before_the_clock_says_so_waits_again(store):
    """The wall clock was set back: what counts is what it says."""
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 0.02)
    bench.now -= 0.05
    await asyncio.sleep(0.04)  # the timer has fired
    assert rang(store) == 0
    bench.now += 0.07
    await until(lambda: rang(store) == 1, limit_s=1)


async def test_the_clock_finds_what_came_due_while_nothing_ran(store):
    before = bench_on(store)
    await before.create(key=TIMERS)
    await plan(before, 30)
    await before.rooms.close()
    after = bench_on(store)
    await after.clock.tick()
    await settled()
    assert rang(store) == 0
    after.now += 1000
    await after.clock.tick()
    await settled()
    assert rang(store) == 1
    await after.clock.tick()
    await settled()
    assert rang(store) == 1


async def test_two_processes_ring_it_once():
    """Both believe that it is due; the version tells the second that it is not."""
    store = SharedStore()
    benches = [bench_on(store) for _ in range(2)]
    await benches[0].create(key=TIMERS)
    await plan(benches[0], 30)
    await benches[1].rooms.ask(TIMERS, Inspect())
    for bench in benches:
        bench.now += 30
        bench.rooms.wake(TIMERS)
    await settled()
    bases = [one.base for one in store.commits]
    assert bases[-1] == bases[-2], "both tried"
    assert rang(store) == 1


async def test_the_running_clock_looks_at_once_and_again(store):
    bench = bench_on(store, clock_interval_s=0.02)
    await bench.create(key=TIMERS)
    await plan(bench, 30)
    await bench.rooms.close()
    bench = bench_on(store, clock_interval_s=0.02)
    bench.now += 31
    bench.clock.start()
    await until(lambda: rang(store) == 1, limit_s=1)
    await bench.clock.close()


async def test_an_outage_of_storage_delays_an_alarm_and_loses_none():
    store = DownStore()
    bench = bench_on(store, clock_interval_s=0.02)
    await bench.create(key=TIMERS)
    await plan(bench, 30)
    store.down = True
    bench.now += 31
    bench.clock.start()
    bench.rooms.wake(TIMERS)
    await until(lambda: store.refused > 2, limit_s=1)
    store.down = False
    await until(lambda: rang(store) == 1, limit_s=2)
    await bench.clock.close()


async def test_a_room_that_cannot_be_read_is_tried_ever_more_seldom(store, caplog):
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 1)
    await bench.rooms.close()
    snapshot = store.snapshots[TIMERS]
    store.snapshots[TIMERS] = type(snapshot)(snapshot.uuid, snapshot.version, b"{}")
    bench = bench_on(store)
    bench.now += 10
    tries = []
    for second in range(20):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            await bench.clock.tick()
            await settled()
        if caplog.records:
            tries.append(second)
        bench.now += 1
    assert tries == [0, 1, 3, 7, 15]


async def test_expired_rooms_are_pruned_now_and_then(store):
    bench = bench_on(store)
    await bench.create()
    bench.now += 60 + 3600 + 60  # nobody came: seats, then the room
    for _ in range(4):
        await bench.clock.tick()
        await settled()
        bench.now += 3600
    assert store.rows[KEY].status == "closed"
    bench.now += 24 * 3600
    await bench.clock.tick()
    assert KEY not in store.rows
    assert await bench.create()


async def test_the_last_socket_that_closes_makes_its_player_absent(store):
    bench = bench_on(store)
    await bench.create()
    connection, _ = await bench.connect("alice")
    second, _ = await bench.connect("alice")
    bench.hub.drop(connection, by_peer=True)
    await settled()
    assert not _commands(store, "presence")
    bench.hub.drop(second, by_peer=True)
    await settled()
    assert _commands(store, "presence") == [{"command": "presence", "left": ["p_alice"]}]


async def test_a_socket_that_we_close_is_no_goodbye(store):
    bench = bench_on(store)
    await bench.create()
    connection, _ = await bench.connect("alice")
    bench.hub.drop(connection)
    await settled()
    assert _commands(store, "presence") == [{"command": "presence", "left": []}]


async def test_many_who_go_at_once_are_few_turns(store):
    bench = bench_on(store)
    await bench.create()
    connections = [(await bench.connect("alice"))[0]]
    for number in range(50):
        await bench.ask(register(f"b{number}"))
        connections.append((await bench.connect(f"b{number}"))[0])
    for connection in connections:
        bench.hub.drop(connection, by_peer=True)
    await settled()
    (presence,) = _commands(store, "presence")
    assert len(presence["left"]) == 51


async def test_a_socket_that_is_gone_before_it_entered_leaves_no_ghost(store):
    bench = bench_on(store)
    await bench.create()
    gone = Connection(KEY, RecordingWire())
    joining = bench.rooms.ask(KEY, Connect(token_hash("t_alice")), gone)
    bench.hub.drop(gone, by_peer=True)
    await joining
    await settled()
    assert bench.hub.present(KEY) == frozenset()
    assert b"seat:p_alice" in store.snapshots[KEY].state


async def test_while_the_process_ends_nobody_is_absent(store):
    bench = bench_on(store)
    await bench.create()
    connection, _ = await bench.connect("alice")
    await bench.rooms.close()
    version = store.snapshots[KEY].version
    bench.hub.drop(connection, by_peer=True)
    await settled()
    assert store.snapshots[KEY].version == version


async def test_who_is_removed_is_sent_away_and_not_heard_again(store):
    bench = bench_on(store)
    await bench.create()
    await bench.ask(register("bob"))
    alice, _ = await bench.connect("alice")
    _, wire = await bench.connect("bob")
    kick = Receive("p_alice", "KICK", jsonio.raw({"playerId": "p_bob"}))
    bench.rooms.tell(alice, kick)
    await settled()
    assert wire.code is Close.REMOVED
    assert bench.hub.present(KEY) == {"p_alice"}


async def test_an_alarm_that_storage_rejects_does_not_make_its_room_unusable(caplog):
    store = AlarmRejectingStore()
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 1)
    bench.now += 1
    with caplog.at_level(logging.ERROR):
        await plan(bench, 100, TIMERS)
    assert "Rejected" in caplog.text
    assert rang(store) == 0


def _commands(store, kind: str) -> list[dict]:
    return [
        jsonio.decode(row.entry, dict)["command"]
        for row in store.journals[KEY]
        if row.command == kind
    ]


async def test_a_prune_that_fails_holds_up_no_alarm():
    store = UnprunableStore()
    before = bench_on(store)
    await before.create(key=TIMERS)
    await plan(before, 30)
    await before.rooms.close()
    bench = bench_on(store)
    bench.now += 31
    for tries in (1, 1, 2):
        with contextlib.suppress(StorageUnavailable):
            await bench.clock.tick()
        await settled()
        assert store.refused == tries
        assert rang(store) == 1
        bench.now += 59 if tries == 1 else 0


async def test_whatever_an_alarm_cannot_store_its_room_goes_on(caplog):
    """Not a constraint: what was to be stored cannot be written down at all."""
    store = UnwritableAlarmStore()
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    await plan(bench, 1)
    bench.now += 1
    with caplog.at_level(logging.ERROR):
        await plan(bench, 100)
    assert "OverflowError" in caplog.text
    assert rang(store) == 0


async def test_a_drain_that_runs_out_of_time_leaves_nobody_waiting(store):
    store = PausedStore()
    bench = bench_on(store)
    asking = [asyncio.ensure_future(bench.create(key=KEY)) for _ in range(3)]
    await settled()
    asking.append(asyncio.ensure_future(bench.ask(register("bob"))))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await bench.rooms.close()
    for one in asking:
        with pytest.raises(RoomError) as told:
            await asyncio.wait_for(one, 1)
        assert told.value.code is Code.REALTIME_UNAVAILABLE
    await settled()
    assert [task for task in asyncio.all_tasks() if "Actor" in repr(task)] == []


async def test_a_socket_that_shows_another_players_token_is_the_first_ones_goodbye(store):
    bench = bench_on(store)
    await bench.create()
    await bench.ask(register("bob"))
    connection, _ = await bench.connect("alice")
    await bench.rooms.ask(KEY, Connect(token_hash("t_bob")), connection)
    await settled()
    assert bench.hub.present(KEY) == {"p_bob"}
    assert _commands(store, "presence") == [{"command": "presence", "left": ["p_alice"]}]


async def test_a_bug_of_a_batch_is_reported_once(store, caplog):
    store = UnwritableStore()
    bench = bench_on(store)
    with caplog.at_level(logging.ERROR):
        asked = [bench.ask(register(f"b{n}", host=n == 0)) for n in range(5)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {one.code for one in answers} == {Code.INTERNAL_ERROR}
    assert len({one.message for one in answers}) == 1
    assert len(caplog.records) == 1


async def test_one_alarm_that_storage_rejects_takes_no_other_with_it(caplog):
    store = RejectingAlarmStore("bad")
    bench = bench_on(store)
    await bench.create(key=TIMERS)
    for name in ("good", "bad", "fine"):
        payload = jsonio.raw({"name": name, "after_s": 1})
        await bench.rooms.ask(TIMERS, Receive("p_alice", "plan", payload))
    bench.now += 1
    bench.rooms.wake(TIMERS)
    await until(lambda: {b"good", b"fine"} <= store.rang, limit_s=1)
    for _ in range(60):  # the room's own alarms ring between the tries
        bench.now += 64
        bench.rooms.wake(TIMERS)
        await settled()
    assert store.rows[TIMERS].alarms_parked == 1
    assert b"bad" not in store.rang


async def test_who_goes_while_storage_is_down_is_absent_once_it_is_back():
    store = DownStore()
    bench = bench_on(store, refresh_interval_s=0.02)
    await bench.create()
    connection, _ = await bench.connect("alice")
    store.down = True
    bench.hub.drop(connection, by_peer=True)
    await settled()
    store.down = False
    await until(lambda: _commands(store, "presence"), limit_s=1)
    assert _commands(store, "presence") == [{"command": "presence", "left": ["p_alice"]}]


async def test_an_outage_leaves_no_actors_of_rooms_that_nobody_is_in():
    store = DownStore()
    bench = bench_on(store)
    store.down = True
    for number in range(20):
        with pytest.raises(RoomError):
            await bench.rooms.look(RoomKey("timers", f"ROOM{number}"))
    await settled()
    assert bench.rooms.count() == 0


async def test_of_many_that_are_due_the_longest_overdue_come_first(store, monkeypatch):
    monkeypatch.setattr(clocks, "ROOMS_MAX", 3)
    before = bench_on(store)
    keys = [RoomKey("timers", f"ROOM{number}") for number in range(7)]
    for key in keys:
        await before.create(key=key)
        await plan(before, 1, key)
        before.now += 0.01
    await before.rooms.close()
    bench = bench_on(store)
    bench.now += 10
    for woken in (3, 7):  # those of the first look are not due any more, so that more are seen
        await bench.clock.tick()
        await settled()
        assert [rang(store, key) for key in keys] == [1] * woken + [0] * (7 - woken)
