"""Several processes that write the same rooms in PostgreSQL."""

import asyncio
from random import Random
from uuid import uuid4

from realtime.testing import START
from tests.support.engine import until
from tests.support.stores import batch, room, seat, told

ROOM = room("K7PQ2M")
OTHERS = [room(f"ROOM{number:02}") for number in range(30)]


def test_it_is_not_alone(postgresql):
    assert not postgresql.store().alone


def test_one_process_wins_each_version(postgresql):
    async def story():
        async with postgresql.stores(3) as processes:
            founded = await asyncio.gather(*(store.commit(batch(ROOM)) for store in processes))
            assert founded.count(True) == 1
            for base in range(1, 31):
                kept = await asyncio.gather(*(each.commit(batch(ROOM, base)) for each in processes))
                assert kept.count(True) == 1

    told(story())
    assert postgresql.journal(ROOM) == [*range(1, 32)]


def no_round_was_rolled_back(place):
    """A circle of waiting processes ends so, by lock_timeout or the deadlock detector."""
    query = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    return place.rows(query) == [(0,)]


def test_processes_that_write_the_same_rooms_never_wait_in_a_circle(postgresql):
    async def write(store, seed):
        """Try every room's next version, in an order of its own, again and again."""
        chance, won = Random(seed), 0
        for version in range(30):
            keys = chance.sample(OTHERS, len(OTHERS))
            won += sum(await asyncio.gather(*(store.commit(batch(key, version)) for key in keys)))
        return won

    async def story():
        async with postgresql.stores(3) as processes:
            won = await asyncio.gather(*(write(store, n) for n, store in enumerate(processes)))
            found = await asyncio.gather(*map(processes[0].load, OTHERS))
            assert sum(won) == sum(snapshot.version for snapshot in found)
        await until(lambda: not postgresql.backends())

    told(story())
    assert no_round_was_rolled_back(postgresql)


def test_processes_that_create_the_same_rooms_never_wait_in_a_circle(postgresql):
    async def create(store, seed):
        chance, won = Random(seed), 0
        for party in range(20):
            keys = [room(key.room_id, f"party{party}") for key in chance.sample(OTHERS, 30)]
            created = (store.commit(batch(key, uuid=uuid4())) for key in keys)
            won += sum(await asyncio.gather(*created))
        return won

    async def story():
        async with postgresql.stores(3) as processes:
            won = await asyncio.gather(*(create(store, n) for n, store in enumerate(processes)))
            assert sum(won) == 20 * len(OTHERS)
        await until(lambda: not postgresql.backends())

    told(story())
    assert no_round_was_rolled_back(postgresql)


def test_processes_that_write_and_delete_the_same_rooms_leave_nothing_behind(postgresql):
    def closed(key, base, name):
        return batch(key, base, seat(name), status="closed", expires_at=START)

    async def write(store, seed):
        """Create expired rooms, and write those that others are about to delete."""
        chance, created = Random(seed), 0
        for turn in range(40):
            some = chance.sample(OTHERS, 15)
            early = (store.commit(closed(key, 0, f"{seed} {turn}")) for key in some)
            created += sum(await asyncio.gather(*early))
            late = (store.commit(closed(key, 1, f"late {seed} {turn}")) for key in some)
            await asyncio.gather(store.prune(START), *late)
        return created

    async def story():
        async with postgresql.stores(3) as processes:
            created = await asyncio.gather(*(write(store, n) for n, store in enumerate(processes)))
            assert sum(created) > 100 + len(OTHERS)  # so more than 100 were deleted in between
            assert not await processes[0].prune(START)
        await until(lambda: not postgresql.backends())

    told(story())
    assert set(postgresql.counts().values()) == {0}
    assert no_round_was_rolled_back(postgresql)


def test_a_room_goes_from_hold_to_hold_in_the_order_of_those_who_wait(postgresql):
    """However fast the others are: nobody loses who holds, and nobody is passed over."""
    turns = []

    async def write(name, store):
        async with store.hold(ROOM) as held:
            assert await held.commit(batch(ROOM, held.snapshot.version))
        turns.append(name)

    async def write_on(name, store):
        for _ in range(20):
            await write(name, store)

    async def story():
        async with postgresql.stores(3) as processes:
            await processes[0].commit(batch(ROOM))
            for name, store in enumerate(processes):  # now each is connected
                await write(name, store)
            await asyncio.gather(*(write_on(n, store) for n, store in enumerate(processes)))

    told(story())
    assert postgresql.journal(ROOM) == [*range(1, 65)]
    all_wait = turns[3:43]
    assert min(all_wait.count(name) for name in range(3)) >= 5


def test_a_hold_that_is_given_up_leaves_the_room_to_others(postgresql):
    async def story():
        async with postgresql.stores(2) as (first, second):
            await first.commit(batch(ROOM))
            for _ in range(5):
                async with first.hold(ROOM):
                    assert not await second.commit(batch(ROOM, 1))
            holds = asyncio.Event()
            hanging = asyncio.create_task(_hold_for_ever(first, holds))
            await holds.wait()
            hanging.cancel()
            await asyncio.wait([hanging])
            async with second.hold(ROOM) as held:
                assert await held.commit(batch(ROOM, 1))

    told(story())


async def _hold_for_ever(store, holds):
    async with store.hold(ROOM):
        holds.set()
        await asyncio.Event().wait()
