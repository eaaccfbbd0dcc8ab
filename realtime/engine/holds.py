"""Rooms that are held: each by a connection of its own, in a transaction, for one turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.rounds import Rounds
from realtime.engine.settling import Answer, Ask, EndHold, Hold
from realtime.engine.store import Held


class Holds:
    """As many rooms are held at a time as there are connections; others wait for one. They are
    started and closed by whoever made them."""

    def __init__(self, connections: Sequence[Rounds[Ask, Answer]]) -> None:
        self._free: asyncio.LifoQueue[Rounds[Ask, Answer]] = asyncio.LifoQueue()
        for connection in connections:
            self._free.put_nowait(connection)

    @asynccontextmanager
    async def hold(self, key: RoomKey) -> AsyncIterator[Held]:
        """As Store.hold."""
        connection = await self._free.get()
        ended = False

        async def commit(batch: Commit) -> bool:
            nonlocal ended
            kept = cast("bool", await connection.call(EndHold(batch)))
            ended = True
            return kept

        try:
            snapshot = cast("Snapshot | None", await connection.call(Hold(key)))
            yield Held(snapshot, commit)
        finally:
            if not ended:
                connection.post(EndHold(None))
            self._free.put_nowait(connection)
