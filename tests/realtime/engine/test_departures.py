"""Who goes away is noted by a turn, however the socket ended and whatever storage does."""

from __future__ import annotations

import pytest

from contracts import jsonio
from contracts.sockets import Close
from realtime.auth import token_hash
from realtime.core.commands import Connect, Receive
from realtime.engine.hub import Connection
from realtime.engine.memory_store import MemoryStore
from tests.support.engine import KEY, RecordingWire, register, settled, until
from tests.support.faulty_store import (
    DownStore,
)
from tests.support.timers import bench_on
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


@pytest.fixture
def store():
    return MemoryStore()


async def test_the_last_socket_that_closes_makes_its_player_absent(store):
    bench = bench_on(store)
    await bench.create()
    connection, _ = await bench.connect("alice")
    second, _ = await bench.connect("alice")
    bench.hub.drop(connection, by_client=True)
    await settled()
    assert not _commands(store, "presence")
    bench.hub.drop(second, by_client=True)
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
        bench.hub.drop(connection, by_client=True)
    await settled()
    (presence,) = _commands(store, "presence")
    assert len(presence["left"]) == 51


async def test_a_socket_that_is_gone_before_it_entered_leaves_no_ghost(store):
    bench = bench_on(store)
    await bench.create()
    gone = Connection(KEY, RecordingWire())
    joining = bench.rooms.ask(KEY, Connect(token_hash("t_alice")), gone)
    bench.hub.drop(gone, by_client=True)
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
    bench.hub.drop(connection, by_client=True)
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


def _commands(store, kind: str) -> list[dict]:
    return [
        jsonio.decode(row.entry, dict)["command"]
        for row in store.journals[KEY]
        if row.command == kind
    ]


async def test_a_socket_that_shows_another_players_token_is_the_first_ones_goodbye(store):
    bench = bench_on(store)
    await bench.create()
    await bench.ask(register("bob"))
    connection, _ = await bench.connect("alice")
    await bench.rooms.ask(KEY, Connect(token_hash("t_bob")), connection)
    await settled()
    assert bench.hub.present(KEY) == {"p_bob"}
    assert _commands(store, "presence") == [{"command": "presence", "left": ["p_alice"]}]


async def test_who_goes_while_storage_is_down_is_absent_once_it_is_back():
    store = DownStore()
    bench = bench_on(store, refresh_interval_s=0.02)
    await bench.create()
    connection, _ = await bench.connect("alice")
    store.down = True
    bench.hub.drop(connection, by_client=True)
    await settled()
    store.down = False
    await until(lambda: _commands(store, "presence"), limit_s=1)
    assert _commands(store, "presence") == [{"command": "presence", "left": ["p_alice"]}]
