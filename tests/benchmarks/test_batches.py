"""What `benchmarks/run commits` commits is what a store may be given."""

import asyncio
from itertools import islice

from benchmarks import JOINS
from benchmarks.batches import rooms
from realtime.engine.memory_store import MemoryStore


def test_a_room_is_created_and_joined():
    store = MemoryStore()
    for room in islice(rooms(), 3):
        assert all(asyncio.run(store.commit(batch)) for batch in room)
    assert [snapshot.version for snapshot in store.snapshots.values()] == [1 + JOINS] * 3
    assert [row.players for row in store.rows.values()] == [1 + JOINS] * 3
