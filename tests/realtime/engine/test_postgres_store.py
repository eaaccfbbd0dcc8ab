"""The store on PostgreSQL: lost connections, hanging servers, and outcomes that nobody knows."""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from time import monotonic

import msgspec
import psycopg
import pytest

from realtime.engine import orm_store as orm_stores
from realtime.engine import rounds
from realtime.engine.postgres_connection import Claim
from realtime.engine.store import Busy, Rejected, StorageUnavailable, Unwritable
from realtime.testing import START
from tests.support.cable import Cable
from tests.support.databases import PostgresDatabase
from tests.support.engine import until
from tests.support.services import need_postgresql
from tests.support.stores import DatabasePlace, batch, match, on, orm_store, room, seat, told

ROOM = room("K7PQ2M")
OTHERS = [room(f"ROOM{number}") for number in range(4)]


@asynccontextmanager
async def cabled(place):
    """A store whose connections go through a cable."""
    config = place.config
    cable = Cable(config["HOST"], int(config["PORT"] or 5432))
    async with cable.open() as port:
        store = orm_store({**config, "HOST": "127.0.0.1", "PORT": port})
        await store.start()
        try:
            yield store, cable
        finally:
            await store.close()


def allow_writes(place, allowed):
    """Make the database read-only, or writable again. Those connected go on as before."""
    (name,) = place.rows("SELECT current_database()")[0]
    how = f"SET default_transaction_read_only = {'off' if allowed else 'on'}"
    with psycopg.connect(
        place.scratch.url, autocommit=True, options="-c default_transaction_read_only=off"
    ) as connection:
        connection.execute(f"ALTER DATABASE {name} {how}")


@contextmanager
def creating(place, keys):
    """Somebody else is about to create these rooms, and never does."""
    insert = """INSERT INTO rooms (room_id, party, code, version, state, created_at, updated_at)
        VALUES (gen_random_uuid(), %s, %s, 1, '', now(), now())"""
    with psycopg.connect(place.scratch.url) as connection:
        connection.cursor().executemany(insert, keys)
        yield
        connection.rollback()


async def outcomes(store, keys, base=0):
    """How each room's commit ends, and the seconds until then."""

    async def outcome(key):
        began = monotonic()
        try:
            kept = await store.commit(batch(key, base))
        except Busy as busy:
            kept = busy
        return kept, monotonic() - began

    kept, took_s = zip(*await asyncio.gather(*map(outcome, keys)), strict=True)
    return [*kept], max(took_s)


def test_a_room_that_others_hold_loses_and_keeps_nobody_waiting(postgresql):
    keys = [ROOM, *OTHERS, room("ROOM4")]

    async def story(store):
        await asyncio.gather(*(store.commit(batch(key)) for key in keys))
        with postgresql.scratch.holding(ROOM.room_id):  # all the while
            kept, _ = await outcomes(store, keys, base=1)
        assert kept == [False] + [True] * 5
        assert await store.commit(batch(ROOM, 1))

    on(postgresql, story)


def test_who_waits_for_a_held_room_is_told_that_it_is_busy(postgresql):
    async def story(store):
        await store.commit(batch(ROOM))
        with postgresql.scratch.holding(ROOM.room_id):
            began = monotonic()
            with pytest.raises(Busy):
                async with store.hold(ROOM):
                    pass
            assert monotonic() - began > 0.5
        async with store.hold(ROOM) as held:
            assert await held.commit(batch(ROOM, 1))

    on(postgresql, story)


def test_many_rooms_that_others_create_keep_nobody_from_an_answer(postgresql, long):
    """Also those who waited behind a round that waited in vain. With --long: they wait no longer
    than for it, and once more."""
    held, free = [[room(f"{kind}{n}") for n in range(60)] for kind in ("HELD", "FREE")]

    async def story(store):
        with creating(postgresql, held):
            first = asyncio.create_task(outcomes(store, held[:1]))
            await until(lambda: postgresql.backends("wait_event_type = 'Lock'"))
            kept, took_s = await outcomes(store, [*held[1:], *free])
            assert first.done()
        assert {type(one) for one in kept[:59]} == {Busy}
        assert kept[59:] == [True] * 60
        _, first_s = await first
        assert not long or took_s < 3 * first_s

    on(postgresql, story)


def test_a_wait_in_vain_makes_later_commits_no_less_patient(postgresql):
    async def story(store):
        with creating(postgresql, [ROOM]):
            await outcomes(store, [ROOM, OTHERS[0]])
        with creating(postgresql, [ROOM]):
            waiting = asyncio.create_task(store.commit(batch(ROOM)))
            await until(lambda: postgresql.backends("wait_event_type = 'Lock'"))
        assert await waiting

    on(postgresql, story)


def test_an_expired_room_that_others_hold_is_deleted_another_time(postgresql):
    async def story(store):
        for key in (ROOM, OTHERS[0]):
            await store.commit(batch(key, status="closed", expires_at=START))
        with postgresql.scratch.holding(ROOM.room_id):
            assert not await store.prune(START)
        assert await store.confirm(ROOM, 1)
        assert await store.confirm(OTHERS[0], 0)
        await store.prune(START)
        assert await store.confirm(ROOM, 0)

    on(postgresql, story)


def test_times_are_written_as_they_were_meant(postgresql):
    async def story(store):
        closed = batch(
            ROOM, alarm_at=START + 60.25, expires_at=START + 86400, matches=(match("m1"),)
        )
        await store.commit(closed)
        await store.commit(batch(OTHERS[0]))

    on(postgresql, story)
    epoch = "extract(epoch FROM {})::float8".format
    query = f"SELECT {epoch('alarm_at')}, {epoch('expires_at')} FROM rooms ORDER BY code"
    assert postgresql.rows(query) == [(START + 60.25, START + 86400), (None, None)]
    query = f"SELECT {epoch('start_at')}, {epoch('end_at')} FROM matches"
    assert postgresql.rows(query) == [(START, START + 90.5)]


def test_a_commit_whose_connection_is_ended_is_told_so(postgresql):
    async def story(store):
        with creating(postgresql, [ROOM]):
            waiting = asyncio.create_task(store.commit(batch(ROOM)))
            await until(lambda: postgresql.backends("wait_event_type = 'Lock'"))
            postgresql.terminate()
            with pytest.raises(StorageUnavailable):
                await waiting
        assert await store.confirm(ROOM, 0)
        assert await store.commit(batch(ROOM))

    on(postgresql, story)


def test_a_commit_may_be_kept_and_its_answer_lost(postgresql):
    async def story():
        async with cabled(postgresql) as (store, cable):
            await store.commit(batch(ROOM))
            cable.mute = True
            unknown = asyncio.create_task(store.commit(batch(ROOM, 1, state=b'"kept"')))
            await cable.lost.wait()
            cable.cut()
            with pytest.raises(StorageUnavailable):
                await unknown
            cable.mute = False
            assert (await store.load(ROOM)).state == b'"kept"'
            assert not await store.commit(batch(ROOM, 1))

    told(story())


def test_a_connection_that_was_ended_while_idle_costs_nobody_anything(postgresql):
    async def story(store):
        await store.commit(batch(ROOM))
        await store.load(ROOM)
        assert postgresql.terminate() == 2
        assert await store.commit(batch(ROOM, 1))
        assert await store.confirm(ROOM, 2)

    on(postgresql, story)


def test_a_database_that_hangs_does_not_keep_the_thread(postgresql, monkeypatch):
    monkeypatch.setattr(rounds, "HANGS_S", 0.05)

    async def story():
        async with cabled(postgresql) as (store, cable):
            await store.commit(batch(ROOM))
            cable.mute = True
            waiting = asyncio.create_task(store.commit(batch(ROOM, 1)))
            await cable.lost.wait()
            await asyncio.sleep(2 * rounds.HANGS_S)
            waiting.cancel()
            await asyncio.wait([waiting])
            cable.mute = False
            assert (await store.load(ROOM)).version == 2
            assert await store.commit(batch(ROOM, 2))

    told(story())


def test_a_read_only_database_still_reads_and_recovers(postgresql):
    async def story(store):
        await store.commit(batch(ROOM))
        allow_writes(postgresql, False)
        postgresql.terminate()
        with pytest.raises(StorageUnavailable):
            await store.commit(batch(ROOM, 1))
        assert await store.confirm(ROOM, 1)
        allow_writes(postgresql, True)
        assert await store.commit(batch(ROOM, 1))

    on(postgresql, story)


def test_a_name_that_the_database_cannot_hold_harms_its_own_room_only(postgresql):
    async def story(store):
        commits = [batch(key, 0, seat(f"name {n}")) for n, key in enumerate(OTHERS[:4])]
        commits[1] = batch(OTHERS[1], 0, seat("nothing", username="\0"))
        commits[2] = batch(OTHERS[2], 0, seat("half a pair", username="\ud800"))
        kept = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)
        assert [kept[0], kept[3]] == [True, True]
        assert isinstance(kept[1], Rejected)
        assert isinstance(kept[2], Rejected)

    on(postgresql, story)


def test_a_reason_that_the_database_cannot_hold_harms_its_own_room_only(postgresql):
    async def story(store):
        commits = [batch(key, matches=(match(key.room_id),)) for key in OTHERS]
        ended = msgspec.structs.replace(match("m1"), end_reason="time\0")
        commits[1] = batch(OTHERS[1], matches=(ended,))
        kept = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)
        assert isinstance(kept.pop(1), Rejected)
        assert kept == [True] * 3

    on(postgresql, story)


def test_a_database_without_tables_says_what_to_do():
    with PostgresDatabase.scratch(need_postgresql()) as database:
        store = DatabasePlace(database).store()
        with pytest.raises(StorageUnavailable, match=r"run manage\.py migrate"):
            told(store.start())


def test_no_server_is_no_start(postgresql):
    store = orm_store({**postgresql.config, "HOST": "127.0.0.1", "PORT": 1})
    with pytest.raises(StorageUnavailable, match="refused"):
        told(store.start())


def test_readiness_says_when_the_database_is_away(postgresql, monkeypatch):
    monkeypatch.setattr(orm_stores, "CHECK_LIMIT_S", 0.1)
    monkeypatch.setattr(orm_stores, "CHECK_KEPT_S", 0)
    monkeypatch.setattr(rounds, "HANGS_S", 0.05)

    async def story():
        async with cabled(postgresql) as (store, cable):
            assert await store.check() == {"database": "ok", "migrations": "ok"}
            cable.mute = True
            assert await store.check() == {"database": "does not answer"}

    told(story())


def test_its_connections_go_when_it_closes(postgresql):
    on(postgresql, lambda store: store.commit(batch(ROOM)))
    assert postgresql.backends() == []


def test_a_second_process_is_refused_and_told_why(postgresql):
    """Its players would be absent in the eyes of the first."""

    async def story():
        first = orm_store(postgresql.config, claim=Claim.ALONE)
        await first.start()
        second = orm_store(postgresql.config, claim=Claim.ALONE)
        with pytest.raises(StorageUnavailable, match="another realtime process uses this database"):
            await second.start()
        await first.close()
        third = orm_store(postgresql.config, claim=Claim.ALONE)
        await third.start()
        await third.close()

    asyncio.run(story())


def test_processes_that_hear_each_other_share_a_database_but_with_no_other(postgresql):
    async def story():
        first, second = (orm_store(postgresql.config, claim=Claim.TOGETHER) for _ in range(2))
        await first.start()
        await second.start()
        deaf = orm_store(postgresql.config, claim=Claim.ALONE)
        with pytest.raises(StorageUnavailable, match="Set REDIS_URL for both"):
            await deaf.start()
        await asyncio.gather(first.close(), second.close())

    asyncio.run(story())


def test_a_process_lives_as_long_as_its_heart_beats(postgresql):
    async def story():
        stores = [orm_store(postgresql.config, claim=Claim.TOGETHER) for _ in range(2)]
        first, second = stores
        await asyncio.gather(*(store.start() for store in stores))
        assert await first.beat("one") == frozenset()
        assert await second.beat("two") == {"one"}
        assert await first.beat("one") == {"two"}
        await second.depart("two")
        assert await first.beat("one") == frozenset()
        await second.beat("two")
        later = "UPDATE realtime_processes SET expires_at = expires_at - interval '6 seconds'"
        postgresql.rows(f"{later} RETURNING process_id")
        assert await first.beat("one") == frozenset()
        await asyncio.gather(*(store.close() for store in stores))

    asyncio.run(story())


def test_a_claim_is_taken_again_after_the_connection_was_lost(postgresql):
    async def story():
        first = orm_store(postgresql.config, claim=Claim.ALONE)
        await first.start()
        assert postgresql.terminate()
        await first.commit(batch(ROOM))
        second = orm_store(postgresql.config, claim=Claim.ALONE)
        with pytest.raises(StorageUnavailable, match="another realtime process"):
            await second.start()
        await first.close()

    asyncio.run(story())


def test_a_process_that_lost_its_claim_is_not_ready(postgresql):
    async def story():
        first = orm_store(postgresql.config, claim=Claim.ALONE)
        second = orm_store(postgresql.config, claim=Claim.ALONE)
        await first.start()
        assert postgresql.terminate()
        await second.start()
        assert await first.check() == {"database": "is used by another realtime process"}
        with pytest.raises(StorageUnavailable, match="another realtime process"):
            await first.commit(batch(ROOM))
        assert (await second.check())["database"] == "ok"
        await asyncio.gather(first.close(), second.close())

    asyncio.run(story())


def test_a_connection_that_was_lost_is_told_when_it_is_there_again(postgresql):
    async def story(store):
        returns = []
        store.on_return(lambda: returns.append(threading.current_thread()))
        await store.commit(batch(ROOM))
        await store.load(ROOM)
        assert returns == []
        assert postgresql.terminate() == 2
        with suppress(StorageUnavailable):
            await store.load(ROOM)
        assert await store.confirm(ROOM, 1)
        await until(lambda: returns, limit_s=30)
        with suppress(StorageUnavailable):
            await store.commit(batch(ROOM, 1))
        await until(lambda: len(returns) == 2, limit_s=30)
        await store.load(ROOM)
        assert returns == [threading.main_thread()] * 2

    on(postgresql, story)


def test_a_connection_that_we_closed_ourselves_was_not_lost(postgresql):
    """After a refused write a new session finds out whether it may write: that is no failover."""

    async def story(store):
        returns = []
        store.on_return(lambda: returns.append(1))
        await store.commit(batch(ROOM))
        allow_writes(postgresql, False)
        postgresql.terminate()
        for _ in range(3):
            with pytest.raises(Unwritable):
                await store.commit(batch(ROOM, 1))
        allow_writes(postgresql, True)
        assert await store.commit(batch(ROOM, 1))
        await asyncio.sleep(0)  # what a thread has told before its answer is heard
        assert returns == [1], "the server ended one, we closed three"

    on(postgresql, story)
