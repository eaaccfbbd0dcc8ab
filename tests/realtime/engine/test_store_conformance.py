"""What every store has to do, whatever it keeps rooms in."""

import asyncio
from uuid import uuid4

import pytest

from realtime.engine.store import Rejected, StorageUnavailable
from tests.support.stores import batch, on, room, seat

ROOM = room("K7PQ2M")
OTHERS = [room(f"ROOM{number}") for number in range(8)]


def test_a_room_that_nobody_created_is_absent(place):
    async def story(store):
        assert await store.load(ROOM) is None
        assert await store.confirm(ROOM, 0)
        assert not await store.confirm(ROOM, 1)

    on(place, story)


def test_what_was_committed_is_loaded(place):
    async def story(store):
        created = batch(ROOM, 0, seat("alice"), state=b'{"phase":"lobby"}')
        assert await store.commit(created)
        assert await store.load(ROOM) == created.snapshot
        assert await store.confirm(ROOM, 1)
        assert not await store.confirm(ROOM, 0)

    on(place, story)


def test_a_party_is_part_of_a_rooms_name(place):
    async def story(store):
        assert await store.commit(batch(ROOM))
        assert await store.load(room(ROOM.room_id, party="chat")) is None
        assert await store.commit(batch(room(ROOM.room_id, party="chat")))

    on(place, story)


def test_a_large_state_comes_back_byte_for_byte(place):
    state = bytes(range(256)) * 400

    async def story(store):
        await store.commit(batch(ROOM, state=state))
        assert (await store.load(ROOM)).state == state

    on(place, story)


def test_a_batch_counts_as_many_versions_as_it_has_turns(place):
    async def story(store):
        assert await store.commit(batch(ROOM, turns=3))
        assert await store.commit(batch(ROOM, 3, turns=2))
        assert await store.confirm(ROOM, 5)

    on(place, story)
    assert place.journal(ROOM) == [1, 2, 3, 4, 5]


def test_a_stale_batch_loses_and_leaves_nothing(place):
    async def story(store):
        await store.commit(batch(ROOM, 0, seat("alice")))
        await store.commit(batch(ROOM, 1, state=b'"winner"'))
        assert not await store.commit(batch(ROOM, 1, seat("bob"), state=b'"loser"', turns=2))
        assert (await store.load(ROOM)).state == b'"winner"'

    on(place, story)
    assert place.journal(ROOM) == [1, 2]
    assert place.seats(ROOM) == {"p_alice": "alice"}


def test_a_batch_for_a_room_that_is_gone_loses(place):
    async def story(store):
        assert not await store.commit(batch(ROOM, 4, seat("alice")))
        assert await store.confirm(ROOM, 0)

    on(place, story)
    assert place.journal(ROOM) == []


def test_one_of_those_who_create_a_room_wins(place):
    async def story(store):
        founders = [batch(ROOM, 0, seat(f"founder{n}"), uuid=uuid4()) for n in range(8)]
        kept = await asyncio.gather(*map(store.commit, founders))
        assert kept.count(True) == 1
        winner = founders[kept.index(True)]
        assert await store.load(ROOM) == winner.snapshot
        return winner.seats[0].player_id

    winner = on(place, story)
    assert [*place.seats(ROOM)] == [winner]


def test_one_of_those_who_race_for_a_version_wins(place):
    async def story(store):
        await store.commit(batch(ROOM))
        racers = [batch(ROOM, 1, state=b"%d" % number) for number in range(20)]
        kept = await asyncio.gather(*map(store.commit, racers))
        assert kept.count(True) == 1
        assert await store.load(ROOM) == racers[kept.index(True)].snapshot

    on(place, story)
    assert place.journal(ROOM) == [1, 2]


def test_a_room_that_loses_does_not_take_others_with_it(place):
    async def story(store):
        await asyncio.gather(*(store.commit(batch(key)) for key in OTHERS))
        await store.commit(batch(OTHERS[3], 1))
        kept = await asyncio.gather(*(store.commit(batch(key, 1)) for key in OTHERS))
        assert kept == [number != 3 for number in range(8)]
        loaded = await asyncio.gather(*map(store.load, OTHERS))
        assert [snapshot.version for snapshot in loaded] == [2] * 8

    on(place, story)


def test_a_room_that_breaks_a_constraint_does_not_take_others_with_it(place):
    async def story(store):
        await asyncio.gather(*(store.commit(batch(key, 0, seat("alice"))) for key in OTHERS))
        batches = [batch(key, 1, seat("bob")) for key in OTHERS]
        batches[5] = batch(OTHERS[5], 1, seat("ALICE"))
        kept = await asyncio.gather(*map(store.commit, batches), return_exceptions=True)
        assert isinstance(kept.pop(5), Rejected)
        assert kept == [True] * 7
        assert await store.confirm(OTHERS[5], 1)

    on(place, story)
    assert place.journal(OTHERS[5]) == [1]
    assert place.seats(OTHERS[5]) == {"p_alice": "alice"}


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(batch(ROOM, 0, seat("Eve", "p_1"), seat("eVE", "p_2")), id="a name twice"),
        pytest.param(
            batch(ROOM, 0, seat("a", seat_index=3), seat("b", seat_index=3)), id="a seat twice"
        ),
        pytest.param(
            batch(ROOM, 0, seat("a", token_hash="h"), seat("b", token_hash="h")), id="a token twice"
        ),
        pytest.param(
            batch(ROOM, 0, seat("a", is_host=True), seat("b", is_host=True)), id="two hosts"
        ),
        pytest.param(batch(ROOM, players=100), id="over the cap"),
    ],
)
def test_a_broken_rule_is_refused_whatever_the_roster_thought(place, broken):
    async def story(store):
        with pytest.raises(Rejected):
            await store.commit(broken)
        assert await store.load(ROOM) is None

    on(place, story)


def test_seats_follow_the_roster(place):
    async def story(store):
        await store.commit(batch(ROOM, 0, seat("alice", is_host=True), seat("bob"), seat("carol")))
        await store.commit(batch(ROOM, 1, seat("bob", is_host=True), gone=("p_alice",)))
        await store.commit(batch(ROOM, 2, seat("Caroline", "p_carol"), seat("alice", "p_new")))

    on(place, story)
    assert place.seats(ROOM) == {"p_bob": "bob", "p_carol": "Caroline", "p_new": "alice"}


def test_two_players_may_swap_names_in_one_batch(place):
    async def story(store):
        everyone = [seat(f"name{n}", f"p_{n}", seat_index=n) for n in range(20)]
        turned = [seat(f"name{19 - n}", f"p_{n}", seat_index=(n + 7) % 20) for n in range(20)]
        await store.commit(batch(ROOM, 0, *everyone))
        assert await store.commit(batch(ROOM, 1, *turned))

    on(place, story)
    assert place.seats(ROOM) == {f"p_{n}": f"name{19 - n}" for n in range(20)}


def test_a_closed_room_keeps_its_code(place):
    async def story(store):
        await store.commit(batch(ROOM, 0, seat("alice")))
        await store.commit(batch(ROOM, 1, gone=("p_alice",), status="closed", players=0))
        assert (await store.load(ROOM)).version == 2
        assert not await store.commit(batch(ROOM, uuid=uuid4()))

    on(place, story)


def test_reads_that_wait_together_get_an_answer_each(place):
    async def story(store):
        await asyncio.gather(*(store.commit(batch(key)) for key in OTHERS))
        asked = [*OTHERS, ROOM, OTHERS[0]]
        loads = asyncio.gather(*map(store.load, asked))
        confirms = asyncio.gather(*(store.confirm(key, 1) for key in asked))
        assert [found and found.version for found in await loads] == [*[1] * 8, None, 1]
        assert await confirms == [*[True] * 8, False, True]

    on(place, story)


def test_a_store_says_whether_it_is_ready(place):
    async def story(store):
        assert set((await store.check()).values()) == {"ok"}

    on(place, story)


def test_what_one_store_kept_the_next_one_finds(place):
    created = batch(ROOM, 0, seat("alice"))
    on(place, lambda store: store.commit(created))
    assert on(place, lambda store: store.load(ROOM)) == created.snapshot


def test_a_closed_store_refuses(database):
    async def story():
        store = database.store()
        await store.start()
        await store.close()
        with pytest.raises(StorageUnavailable):
            await store.load(ROOM)

    asyncio.run(story())
