"""Storage goes back in time under running processes: nobody is shown two histories in a row."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contracts.errors import Code, RoomError
from contracts.sockets import Close
from realtime.core.commands import Inspect
from realtime.engine.feed import GAP_S
from realtime.engine.store import StorageUnavailable
from tests.support.engine import KEY, Bench, register, settled
from tests.support.faulty_store import PausedStore, SharedStore
from tests.support.processes import (
    ROOM,
    CommonStore,
    Exchange,
    Process,
    connected,
    quiet,
    stored,
)
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

SOON_S = 0.05
VERSIONS_S = 10.0  # between two comparisons


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


@pytest.fixture
def store():
    return CommonStore()


@pytest.fixture
def exchange():
    return Exchange()


@pytest.fixture
async def pair(store, exchange):
    processes = [Process(store, exchange, name, VERSIONS_S) for name in ("here", "there")]
    for one in processes:
        await one.start()
    await quiet(20)
    yield processes
    for one in processes:
        await one.close()


@pytest.fixture
async def sockets(pair):
    """alice here, bob there, and a tally of 3."""
    here, there = pair
    await here.admit("alice", host=True)
    await there.admit("bob")
    both = await here.socket("alice"), await there.socket("bob")
    await add(both[0], 3)
    return both


async def add(socket, times=1):
    for _ in range(times):
        socket.says("ADD")
        await quiet(SOON_S)


def state_of(socket):
    """What there is of a socket: how many frames it has, and its close."""
    return len(socket.wire.frames), socket.wire.code


async def test_who_acts_on_a_lost_history_is_sent_back_before_anything_is_shown(store, sockets):
    alice, bob = sockets
    set_back = store.back_up()
    await add(alice, 2)
    frames = [len(one.wire.frames) for one in sockets]
    set_back()
    await add(alice)
    assert state_of(alice) == (frames[0], Close.RESTART)
    await quiet(VERSIONS_S + 1)
    assert state_of(bob) == (frames[1], Close.RESTART)
    assert stored(store)["state"]["value"] == 4, "what was asked after it is kept"


async def test_who_comes_back_sees_the_room_as_it_is(store, pair, sockets):
    alice, _ = sockets
    set_back = store.back_up()
    await add(alice, 5)
    set_back()
    await quiet(VERSIONS_S + 1)
    again = [await one.process.socket(one.name) for one in sockets]
    assert [one.value for one in again] == [3, 3]
    await add(again[0])
    assert [one.value for one in again] == [4, 4]
    assert all(one.in_order for one in again)
    assert set(connected(store)) == {"here", "there"}


async def test_quiet_sockets_are_sent_back_when_versions_are_compared(store, sockets):
    set_back = store.back_up()
    await add(sockets[0], 2)
    set_back()
    await quiet(VERSIONS_S + 1)
    assert [one.wire.code for one in sockets] == [Close.RESTART] * 2


async def test_versions_that_have_come_to_the_same_number_are_told_apart(store, exchange, sockets):
    """And the same when they have passed it, with nobody to announce them."""
    alice = sockets[0]
    for more in (0, 3):
        set_back = store.back_up()
        await add(alice, 2)
        exchange.drop_all()
        set_back()
        third = Process(store, Exchange(), "third")
        other = await third.socket("alice")
        await add(other, store_behind(store, alice) + more)
        other.goes()
        before = [len(one.wire.frames) for one in sockets]
        await quiet(VERSIONS_S + 1)
        assert [state_of(one) for one in sockets] == [(n, Close.RESTART) for n in before]
        exchange.drop_none()
        sockets = [await one.process.socket(one.name) for one in sockets]
        alice = sockets[0]


def store_behind(store, socket):
    """How many versions storage lacks to the one that a socket was shown."""
    told = socket.process.rooms.shown()[ROOM]
    return max(told.version - store.snapshots[ROOM].version, 0)


async def test_a_process_that_remembers_a_lost_version_overwrites_nothing(store, pair, sockets):
    here, there = pair
    set_back = store.back_up()
    await here.admit("carol")
    set_back()
    await there.admit("dave")  # the same version, in another history
    await here.admit("erin")
    names = {one["username"] for one in stored(store)["roster"]["players"].values()}
    assert names == {"alice", "bob", "dave", "erin"}


async def test_a_look_is_not_answered_from_a_lost_history(store, pair, sockets):
    here, there = pair
    set_back = store.back_up()
    await here.admit("carol")
    set_back()
    await there.admit("dave")
    await there.admit("erin")
    summary = await here.rooms.ask(ROOM, Inspect())
    assert summary.player_counts.players == 4


async def test_an_announcement_of_another_history_is_never_shown(store, exchange, sockets):
    """It follows the same version, and not the same revision."""
    alice, bob = sockets
    set_back = store.back_up()
    await add(alice, 2)
    frames = [len(one.wire.frames) for one in sockets]
    set_back()
    third = Process(store, exchange, "third")
    await third.start()
    other = await third.socket("bob")
    await add(other, store_behind(store, alice) + 2)
    await quiet(GAP_S + SOON_S)
    assert state_of(alice)[1] == state_of(bob)[1] == Close.RESTART
    assert [len(one.wire.frames) for one in sockets] == frames
    await third.close()


async def test_late_news_of_the_lost_history_make_nobody_look_for_ever(store, exchange, sockets):
    alice, bob = sockets
    set_back = store.back_up()
    await quiet(SOON_S)
    exchange.hold()
    await add(alice, 9)
    set_back()
    await quiet(VERSIONS_S + 1)
    again = await bob.process.socket("bob")
    exchange.let_go()
    await quiet(4 * GAP_S)
    views = again.views
    await quiet(20 * GAP_S)
    assert again.views == views
    assert again.value == 3
    assert again.in_order


async def test_a_room_that_is_what_was_shown_goes_on(store, sockets):
    set_back = store.back_up()
    set_back()
    await quiet(VERSIONS_S + 1)
    await add(sockets[1])
    assert [one.wire.code for one in sockets] == [None, None]
    assert [one.value for one in sockets] == [4, 4]


async def test_a_room_that_is_gone_is_closed_for_good(store, pair):
    here, _ = pair
    set_back = store.back_up()
    await here.admit("alice", host=True)
    alice = await here.socket("alice")
    set_back()
    await quiet(VERSIONS_S + 1)
    assert alice.wire.code is Close.ROOM_NOT_FOUND


async def test_who_asks_for_a_room_that_is_gone_is_told_and_the_sockets_close(store, pair):
    here, _ = pair
    set_back = store.back_up()
    await here.admit("alice", host=True)
    alice = await here.socket("alice")
    set_back()
    with pytest.raises(RoomError) as refused:
        await here.admit("bob")
    assert refused.value.code is Code.ROOM_NOT_FOUND
    assert alice.wire.code is Close.ROOM_NOT_FOUND


async def test_another_room_of_the_same_code_is_not_shown_to_the_lost_ones_sockets(store, pair):
    here, there = pair
    set_back = store.back_up()
    await here.admit("alice", host=True)
    alice = await here.socket("alice")
    await quiet(SOON_S)
    frames = len(alice.wire.frames)
    set_back()
    await there.admit("mallory", host=True)
    mallory = await here.socket("mallory")
    assert state_of(alice) == (frames, Close.ROOM_NOT_FOUND)
    await add(mallory)
    assert mallory.value == 1
    assert len(alice.wire.frames) == frames


async def test_a_player_of_the_lost_history_alone_is_no_member_any_more(store, pair, sockets):
    here, _ = pair
    set_back = store.back_up()
    await here.admit("carol")
    carol = await here.socket("carol")
    set_back()
    await quiet(VERSIONS_S + 1)
    assert carol.wire.code is Close.RESTART
    with pytest.raises(RoomError) as refused:
        await here.socket("carol")
    assert refused.value.code is Code.UNAUTHORIZED
    present = {one for ids in connected(store).values() for one in ids}
    assert "p_carol" not in present


async def test_a_connection_that_was_lost_is_a_reason_to_look_at_once(store, sockets):
    set_back = store.back_up()
    await add(sockets[0], 2)
    set_back()
    for notice in store.notices:
        notice()
    await quiet(SOON_S)
    assert [one.wire.code for one in sockets] == [Close.RESTART] * 2


async def test_where_storage_cannot_tell_those_who_may_have_missed_a_history_come_back(
    store, exchange, sockets, monkeypatch
):
    async def unavailable(key, revision):
        raise StorageUnavailable("no connection")

    alice, bob = sockets
    exchange.drop_all()
    await add(alice)
    monkeypatch.setattr(store, "passed", unavailable)
    await add(bob)
    await quiet(2 * GAP_S)
    assert bob.wire.code is Close.RESTART


async def test_a_slow_turn_of_another_room_sends_nobody_away(store, exchange, sockets, monkeypatch):
    """Storage has told in time what it has passed, and the loop could not hear it."""
    loop: Any = asyncio.get_running_loop()
    passed = store.passed
    alice, bob = sockets

    async def distant(key, revision):
        for _ in range(2):
            loop._jumping.now += 3
            bob.process.rooms._deadlines.excuse(3)
            await asyncio.sleep(SOON_S)
        return await passed(key, revision)

    exchange.drop_all()
    await add(alice)
    monkeypatch.setattr(store, "passed", distant)
    await add(bob)
    await quiet(10)
    assert bob.wire.code is None
    assert bob.value == 5


async def test_in_order_work_storage_is_not_asked_what_it_has_passed(store, sockets, monkeypatch):
    async def never(key, revision):
        raise AssertionError("asked")

    monkeypatch.setattr(store, "passed", never)
    for number in range(10):
        await add(sockets[number % 2])
    assert [one.value for one in sockets] == [13, 13]


async def test_what_is_to_be_forgotten_while_a_batch_is_under_way_is_not_remembered_by_it():
    """A store that is alone is asked for no confirmation: nobody else would notice."""
    store = PausedStore()
    store.gate.set()
    bench = Bench(store)
    await bench.create()
    store.gate.clear()
    joining = asyncio.ensure_future(bench.ask(register("bob")))
    await settled()
    bench.rooms.forget()
    store.gate.set()
    await joining
    loads = store.loads
    await bench.look()
    assert store.loads == loads + 1


async def test_every_commit_has_a_tag_of_its_own():
    store = SharedStore()
    bench = Bench(store)
    await bench.create()
    for number in range(9):
        await bench.ask(register(f"player {number}"))
    tags = [one.tag for one in store.commits]
    assert len({*tags}) == 10
    assert all(0 < tag < 2**63 for tag in tags)
    assert [one.base_tag for one in store.commits] == [0, *tags[:-1]]
    assert store.snapshots[KEY].tag == tags[-1]
