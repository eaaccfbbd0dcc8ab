"""Two engines on one store, and a bus between them that loses, delays and turns around news."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
import pytest

from contracts.errors import RoomError
from contracts.sockets import Close
from realtime.core.commands import EndRoom, Receive, Remove
from realtime.engine import announcements
from realtime.engine.announcements import Announcement
from realtime.engine.feed import GAP_S
from realtime.engine.showing import PEER_REFRESHES_S
from tests.support.engine import NOTHING, until
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
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = pytest.mark.anyio

SOON_S = 0.05  # a bus that works is faster


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
    """Two processes that know each other for long enough to tell who lives."""
    processes = [Process(store, exchange, name) for name in ("here", "there")]
    for one in processes:
        await one.start()
    await quiet(20)
    yield processes
    for one in processes:
        await one.close()


@pytest.fixture
async def sockets(pair):
    """alice here, bob there."""
    here, there = pair
    await here.admit("alice", host=True)
    await there.admit("bob")
    both = await here.socket("alice"), await there.socket("bob")
    await quiet()
    return both


def same(sockets: tuple[Socket, Socket]) -> None:
    """Both see alike, from where both were there on."""
    first, second = sockets
    assert first.in_order
    assert second.in_order
    assert first.value == second.value
    assert first.seqs[-len(second.seqs) :] == second.seqs


async def test_sockets_at_both_see_every_seq(sockets):
    alice, bob = sockets
    for turn in range(10):
        (alice, bob)[turn % 2].says("ADD")
        await quiet(SOON_S)
    same(sockets)
    assert alice.value == 10
    assert bob.seqs == [*range(bob.seqs[0], bob.seqs[0] + len(bob.seqs))]


async def test_turns_at_both_at_once_are_shown_in_one_order(store, exchange, sockets):
    alice, bob = sockets
    store._pause = lambda: 0.001
    for _ in range(20):
        alice.says("ADD")
        bob.says("ADD")
        await quiet(0.002)
    await quiet()
    same(sockets)
    assert alice.value == bob.value == 40
    assert alice.seqs == [*range(alice.seqs[0], alice.seqs[0] + len(alice.seqs))]


async def test_news_in_the_wrong_order_are_shown_in_the_right_one(exchange, sockets):
    alice, bob = sockets
    exchange.hold()
    for _ in range(5):
        alice.says("ADD")
        await quiet(SOON_S / 5)
    views = bob.views
    exchange.let_go(reverse=True)
    await quiet(SOON_S)
    same(sockets)
    assert (bob.value, bob.views) == (5, views)


async def test_a_lost_announcement_becomes_a_fresh_view_in_a_moment(exchange, sockets):
    alice, bob = sockets
    exchange.drop_all()
    alice.says("ADD")
    await quiet(SOON_S)
    exchange.drop_none()
    alice.says("ADD")
    await quiet(SOON_S)
    views = bob.views
    assert bob.value == 0
    await quiet(GAP_S)
    assert (bob.value, bob.views) == (2, views + 1)
    assert bob.made_up_for
    assert bob.in_order


async def test_a_lost_announcement_that_nothing_follows_is_found_by_comparing(exchange, sockets):
    alice, bob = sockets
    exchange.drop_all()
    alice.says("ADD")
    await until(lambda: bob.value == 1, limit_s=10 + GAP_S + SOON_S)


async def test_a_turn_here_waits_for_news_that_are_under_way(exchange, sockets):
    alice, bob = sockets
    exchange.hold()
    alice.says("ADD")
    await quiet(SOON_S)
    bob.says("ADD")
    await quiet(SOON_S)
    assert bob.value == 0
    views = bob.views
    exchange.let_go()
    await quiet(SOON_S)
    same(sockets)
    assert (bob.value, bob.views) == (2, views)


async def test_a_turn_here_does_not_wait_for_lost_news_for_long(exchange, sockets):
    alice, bob = sockets
    exchange.drop_all()
    alice.says("ADD")
    await quiet(SOON_S)
    bob.says("ADD")
    await quiet(GAP_S + SOON_S)
    assert bob.value == 2
    assert bob.made_up_for
    assert bob.in_order


async def test_a_look_does_not_stand_in_for_the_view_that_a_gap_is_owed(exchange, pair, sockets):
    alice, bob = sockets
    exchange.drop_all()
    alice.says("ADD")
    await quiet(SOON_S)
    exchange.drop_none()
    views = bob.views
    bob.says("ADD")
    await quiet(SOON_S)
    looking = asyncio.ensure_future(pair[1].rooms.look(ROOM))
    await quiet(GAP_S)
    assert looking.done()
    assert (bob.value, bob.views) == (2, views + 1)


async def test_a_view_that_news_overtook_is_followed_by_a_fresh_one(store, sockets):
    alice, bob = sockets
    bob.says("ADD_UNSEEN")
    await quiet(SOON_S)
    store._pause = lambda: 0.3
    await quiet(0.3)  # storage confirms what bob is to be shown
    store._pause = lambda: 0.0
    alice.says("ADD")
    await quiet()
    assert bob.value == alice.value == 2


async def test_a_second_socket_misses_nothing_that_was_shown_as_it_entered(store, pair, sockets):
    alice, _ = sockets
    second = Socket(pair[1], "bob")
    store._pause = lambda: 0.1
    entering = asyncio.ensure_future(second.join())
    await quiet(SOON_S)
    store._pause = lambda: 0.0
    alice.says("ADD")
    await quiet()
    await entering
    assert second.value == 1


async def test_who_entered_as_far_as_storage_knows_alone_is_not_present(store, pair, sockets):
    here, there = pair
    await here.admit("carol")
    sockets[1].goes()
    await quiet(25)
    store.loses_answer = True
    with pytest.raises(RoomError, match="STORAGE_UNAVAILABLE"):
        await there.socket("carol")
    assert connected(store)["there"] == ["p_carol"]
    await quiet()
    assert connected(store) == {"here": ["p_alice"]}


async def test_a_gap_here_holds_up_nobody_elsewhere(exchange, sockets):
    alice, bob = sockets
    exchange.drop_all()
    alice.says("ADD")
    await quiet(SOON_S)
    exchange.drop_none()
    bob.says("ADD")  # waits for what is lost
    await quiet(SOON_S)
    assert alice.value == 2


async def test_while_the_bus_is_cut_nobody_waits(exchange, sockets):
    alice, bob = sockets
    exchange.cut()
    alice.says("ADD")
    await quiet(SOON_S)
    bob.says("ADD")
    await quiet(SOON_S)
    assert bob.value == 2
    assert bob.made_up_for


async def test_a_bus_that_works_again_lets_everybody_look(exchange, sockets):
    alice, bob = sockets
    exchange.cut()
    alice.says("ADD")
    await quiet(SOON_S)
    assert bob.value == 0
    exchange.mend()
    await quiet(GAP_S + SOON_S)
    assert bob.value == 1


async def test_a_refresh_comes_from_whoever_decided_the_change(sockets):
    alice, bob = sockets
    views = alice.views, bob.views
    alice.says("ADD_UNSEEN")
    await quiet(0.25 + SOON_S)
    same(sockets)
    assert alice.value == 1
    await quiet()
    assert (alice.views, bob.views) == (views[0] + 1, views[1] + 1)


async def test_a_change_decided_where_nobody_is_connected_is_refreshed_as_soon(pair, sockets):
    _here, there = pair
    alice, bob = sockets
    bob.goes()
    await quiet()
    await there.ask(Receive("p_bob", "ADD_UNSEEN", NOTHING), ROOM)
    await quiet(0.25 + SOON_S)
    assert alice.value == 1


async def test_a_refresh_whose_owner_dies_is_made_up_for(pair, sockets):
    here, _ = pair
    alice, bob = sockets
    alice.says("ADD_UNSEEN")
    await quiet(SOON_S)
    await here.die()
    await quiet(PEER_REFRESHES_S - 2 * SOON_S)
    assert bob.value == 0
    await quiet(2 * SOON_S)
    assert bob.value == 1


async def test_a_peers_death_frees_presence_at_the_next_beat(store, pair, sockets):
    here, there = pair
    assert connected(store) == {"here": ["p_alice"], "there": ["p_bob"]}
    await there.die()
    await quiet(here.peers.interval_s + SOON_S)
    assert connected(store) == {"here": ["p_alice"]}
    assert "seat:p_bob" in stored(store)["alarms"]


async def test_who_just_started_is_not_taken_for_dead(store, exchange, pair, sockets):
    """Its peers hear of its first heartbeat only at one of theirs."""
    here, _there = pair
    alice, bob = sockets
    await quiet(here.peers.interval_s / 2)
    third = Process(store, exchange, "third")
    await third.start()
    bob = await third.socket("bob")
    alice.says("ADD")
    await quiet(SOON_S)
    assert connected(store)["third"] == ["p_bob"]
    assert bob.value == 1
    await third.close()


async def test_who_departs_is_not_waited_for(store, pair, sockets):
    here, there = pair
    await there.close()
    await quiet(here.peers.interval_s + SOON_S)
    assert connected(store) == {"here": ["p_alice"]}


async def test_a_closed_room_sends_everybody_away_everywhere(pair, sockets):
    here, there = pair
    alice, bob = sockets
    await here.ask(EndRoom(), ROOM)
    await quiet(SOON_S)
    assert (alice.wire.code, bob.wire.code) == (Close.ROOM_NOT_FOUND, Close.ROOM_NOT_FOUND)
    await quiet()
    assert (here.rooms.count(), there.rooms.count()) == (0, 0)


async def test_a_closed_room_of_which_nobody_heard_sends_everybody_away(exchange, pair, sockets):
    here, there = pair
    _alice, bob = sockets
    exchange.drop_all()
    await here.ask(EndRoom(), ROOM)
    await quiet(11)
    assert bob.wire.code is Close.ROOM_NOT_FOUND
    await quiet()
    assert there.rooms.count() == 0


async def test_who_is_removed_is_sent_away_everywhere(store, pair, sockets):
    here, there = pair
    _alice, bob = sockets
    again = await here.socket("bob")
    await there.ask(Remove("p_bob"), ROOM)
    await quiet(SOON_S)
    assert (bob.wire.code, again.wire.code) == (Close.REMOVED, Close.REMOVED)
    assert connected(store) == {"here": ["p_alice"]}


async def test_who_leaves_at_one_leaves_at_both(store, pair, sockets):
    here, _there = pair
    _alice, bob = sockets
    again = await here.socket("bob")
    again.says("LEAVE_ROOM")
    await quiet(SOON_S)
    assert (bob.wire.code, again.wire.code) == (Close.NORMAL, Close.NORMAL)
    assert connected(store) == {"here": ["p_alice"]}


async def test_who_is_removed_hears_nothing_more_even_if_the_news_are_lost(
    store, exchange, pair, sockets
):
    here, _there = pair
    alice, bob = sockets
    exchange.drop_all()
    await here.ask(Remove("p_bob"), ROOM)
    await quiet(SOON_S)
    exchange.drop_none()
    alice.says("ADD")
    await quiet(11)
    assert bob.wire.code is not None
    assert connected(store) == {"here": ["p_alice"]}


async def test_waves_reach_the_others(sockets):
    alice, bob = sockets
    alice.waves()
    bob.waves()
    await quiet(SOON_S)
    for one in sockets:
        waves = [frame["payload"] for frame in one.wire.frames if frame["type"] == "WAVED"]
        assert sorted(wave["username"] for wave in waves) == ["alice", "bob"]


async def test_a_whisper_that_changes_nothing_reaches_the_others(exchange, sockets):
    alice, bob = sockets
    bob.wire.frames.clear()
    exchange.hold()
    alice.says("ADD")
    await quiet(SOON_S)
    for text in ("one", "two"):
        alice.says("WHISPER", text=text)
        await quiet(SOON_S)
    exchange.let_go(reverse=True)
    await quiet(SOON_S)
    assert sorted(
        frame["payload"]["text"] for frame in bob.wire.frames if frame["type"] == "WHISPERED"
    ) == ["one", "two"]


async def test_a_room_is_forgotten_and_remembered(store, pair, sockets):
    _here, there = pair
    alice, bob = sockets
    bob.goes()
    await quiet(50)
    assert there.rooms.count() == 0
    for _ in range(3):
        alice.says("ADD")
        await quiet(SOON_S)
    again = await there.socket("bob")
    assert again.value == 3
    alice.says("ADD")
    await quiet(SOON_S)
    assert again.value == 4
    assert again.views == 1


async def test_the_first_socket_that_enters_while_news_fly_misses_nothing(store, exchange, pair):
    here, there = pair
    await here.admit("alice", host=True)
    await here.admit("bob")
    alice = await here.socket("alice")
    store._pause, exchange.delay = lambda: 0.003, lambda: 0.004
    adding = asyncio.ensure_future(_adds(alice, 30))
    await quiet(0.03)
    bob = await there.socket("bob")
    await adding
    await quiet()
    assert (alice.value, bob.value) == (30, 30)
    assert bob.in_order
    assert bob.made_up_for


async def _adds(socket: Socket, times: int) -> None:
    for _ in range(times):
        socket.says("ADD")
        await asyncio.sleep(0.003)


async def test_joining_again_on_an_open_socket_shows_the_room_again(store, sockets):
    alice, bob = sockets
    alice.says("ADD")
    await quiet(SOON_S)
    views = bob.views
    await bob.join()
    assert bob.views == views + 1
    alice.says("ADD")
    await quiet(SOON_S)
    same(sockets)
    assert bob.wire.kinds.count("ADDED") == 2
    assert connected(store)["there"] == ["p_bob"]


async def test_joining_again_while_news_are_lost_is_followed_by_a_view(exchange, sockets):
    alice, bob = sockets
    exchange.drop_all()
    alice.says("ADD")
    await quiet(SOON_S)
    await bob.join()
    await quiet()
    assert bob.value == 1
    assert bob.made_up_for


async def test_nobody_is_told_who_has_no_sockets(exchange, pair, sockets):
    alice, bob = sockets
    bob.goes()
    await quiet()
    sent = len(exchange.sent)
    alice.says("ADD")
    await quiet()
    assert len(exchange.sent) == sent


async def test_news_of_another_room_of_this_name_are_ignored(exchange, pair, sockets):
    """Another deployment uses the same Redis."""
    _here, there = pair
    alice, bob = sockets
    alice.says("ADD")
    await quiet(SOON_S)
    (*_, news) = [one for one in exchange.sent if isinstance(one, Announcement)]
    frames = len(bob.wire.frames)
    _hears(there, _of_another_room(news, 1000))
    await quiet(15)
    assert len(bob.wire.frames) == frames


async def test_nor_do_they_matter_before_anybody_was_shown_the_room(exchange, pair, sockets):
    _here, there = pair
    alice, bob = sockets
    alice.says("ADD")
    await quiet(SOON_S)
    (*_, news) = [one for one in exchange.sent if isinstance(one, Announcement)]
    bob.goes()
    await quiet(50)
    again = Socket(there, "bob")
    joining = asyncio.ensure_future(again.join())
    await asyncio.sleep(0)
    _hears(there, _of_another_room(news, 1000))
    await joining
    views = again.views
    await quiet(15)
    assert again.views == views


def _of_another_room(news: Announcement, ahead: int) -> Announcement:
    base, after = (one._replace(version=one.version + ahead) for one in (news.base, news.after))
    return msgspec.structs.replace(news, uuid=UUID(int=7), base=base, after=after)


def _hears(process: Process, news: Announcement) -> None:
    process.rooms.heard(announcements.encode(news))


async def test_what_is_no_news_is_ignored(pair, sockets):
    here, _ = pair
    for nonsense in (b"", b"\xff" * 20, b"{}"):
        here.rooms.heard(nonsense)
