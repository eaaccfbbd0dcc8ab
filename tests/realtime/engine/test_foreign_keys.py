"""Rows of somebody else's that refer to ours by a foreign key: kept, or about to be."""

import asyncio
from contextlib import closing, contextmanager

import psycopg
import pytest

from realtime.core.rows import Revision
from realtime.engine.store import Busy
from realtime.testing import START
from tests.support.stores import batch, match, on, room, seat, told

ROOM = room("K7PQ2M")
OTHERS = [room(f"ROOM{number}") for number in range(5)]
TO_A_ROOM = "room_id uuid REFERENCES rooms", "SELECT room_id FROM rooms WHERE code = 'K7PQ2M'"
BY_ITS_CODE = (
    "party text, code text, FOREIGN KEY (party, code) REFERENCES rooms (party, code)",
    "SELECT party, code FROM rooms WHERE code = 'K7PQ2M'",
)
TO_A_MATCH = "match_id text REFERENCES matches", "SELECT match_id FROM matches"
TO_A_SEAT = (
    "seat bigint REFERENCES room_seats",
    "SELECT s.id FROM room_seats s JOIN rooms USING (room_id) WHERE code = 'K7PQ2M'",
)


@contextmanager
def referring(place, columns, query, *, kept=False):
    """Somebody else refers to a row of ours, in a transaction that stays open until the block ends,
    and is then rolled back; or that is `kept` at once."""
    with psycopg.connect(place.scratch.url) as connection:
        connection.execute(f"CREATE TABLE foreign_rows ({columns})")
        connection.commit()
        assert connection.execute(f"INSERT INTO foreign_rows {query}").rowcount == 1
        if kept:
            connection.commit()
        yield
        connection.rollback()


def expired(key, **changed):
    return batch(key, status="closed", expires_at=START, **changed)


@pytest.mark.parametrize("reference", [TO_A_ROOM, BY_ITS_CODE, TO_A_MATCH])
def test_turns_go_on_while_somebody_refers_to_the_room(postgresql, reference):
    async def story(store):
        await store.commit(batch(ROOM, 0, seat("alice"), matches=(match("m1", "alice"),)))
        with referring(postgresql, *reference):
            assert await store.commit(batch(ROOM, 1, seat("bob"), gone=("p_alice",)))
            assert await store.commit(batch(ROOM, 2, matches=(match("m2", "bob"),)))
            async with store.hold(ROOM) as held:
                assert held.snapshot.version == 3
                assert await held.commit(batch(ROOM, 3))
            assert await asyncio.gather(*(store.commit(batch(key)) for key in OTHERS)) == [True] * 5

    on(postgresql, story)
    assert postgresql.journal(ROOM) == [1, 2, 3, 4]


def test_processes_that_take_turns_go_on_too(postgresql):
    async def story():
        async with postgresql.stores(2) as (first, second):
            await first.commit(batch(ROOM))
            with referring(postgresql, *TO_A_ROOM):
                for base in (1, 3, 5):
                    assert await first.commit(batch(ROOM, base))
                    assert not await second.commit(batch(ROOM, base))
                    async with second.hold(ROOM) as held:
                        assert await held.commit(batch(ROOM, base + 1))

    told(story())


def test_somebody_may_refer_to_a_room_that_is_held(postgresql):
    async def story(store):
        await store.commit(batch(ROOM))
        async with store.hold(ROOM) as held:
            with referring(postgresql, *TO_A_ROOM):
                assert await held.commit(batch(ROOM, 1))

    on(postgresql, story)


@pytest.mark.parametrize("reference", [TO_A_ROOM, TO_A_SEAT])
def test_an_expired_room_that_somebody_refers_to_waits_and_keeps_nobody_waiting(
    postgresql, reference
):
    async def story(store):
        for key in (ROOM, *OTHERS):
            await store.commit(expired(key))
            await store.commit(batch(key, 1, seat("alice"), status="closed", expires_at=START))
        with referring(postgresql, *reference):
            assert not await store.prune(START)
            assert await store.confirm(ROOM, 2)
            assert postgresql.journal(ROOM) == [1, 2]
            assert await store.versions(OTHERS) == {}
        assert not await store.prune(START)
        assert await store.confirm(ROOM, 0)

    on(postgresql, story)
    assert set(postgresql.counts().values()) == {0}


def test_a_room_that_is_referred_to_for_good_keeps_no_other(postgresql):
    async def story(store):
        await asyncio.gather(*(store.commit(expired(key)) for key in (ROOM, *OTHERS)))
        with referring(postgresql, *TO_A_ROOM, kept=True):
            await everything_pruned(store)
        assert await store.versions([ROOM, *OTHERS]) == {ROOM: Revision(1, 0)}
        postgresql.rows("DELETE FROM foreign_rows RETURNING 1")
        assert not await store.prune(START)
        assert await store.confirm(ROOM, 1)
        assert not await store.prune(START + 86_401)
        assert await store.confirm(ROOM, 0)

    on(postgresql, story)


def test_nor_does_it_on_sqlite(sqlite):
    async def story(store):
        await asyncio.gather(*(store.commit(expired(key)) for key in (ROOM, *OTHERS)))
        with closing(sqlite.scratch.connect()) as somebody:
            deferred = "DEFERRABLE INITIALLY DEFERRED"
            somebody.execute(f"CREATE TABLE foreign_rows (room REFERENCES rooms {deferred})")
            somebody.execute("INSERT INTO foreign_rows " + TO_A_ROOM[1])
            await everything_pruned(store)
            assert await store.versions([ROOM, *OTHERS]) == {ROOM: Revision(1, 0)}
            somebody.execute("DELETE FROM foreign_rows")
        assert not await store.prune(START + 86_401)
        assert await store.confirm(ROOM, 0)

    on(sqlite, story)


def test_a_seat_that_changes_is_a_new_row_and_waits_for_those_who_refer_to_the_old_one(postgresql):
    """Refer to the room, and to a player by the id."""

    async def story(store):
        await store.commit(batch(ROOM, 0, seat("alice"), seat("bob")))
        await store.commit(batch(ROOM, 1, gone=("p_bob",)))
        with referring(postgresql, *TO_A_SEAT):
            assert await store.commit(batch(ROOM, 2, seat("carol")))
            with pytest.raises(Busy):
                await store.commit(batch(ROOM, 3, seat("alice", is_host=True)))
        assert await store.commit(batch(ROOM, 3, seat("alice", is_host=True)))

    on(postgresql, story)


async def everything_pruned(store):
    while await store.prune(START):
        pass
