"""Rooms that are held: each by a connection of its own, in a transaction, for one turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias, cast

from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.engine.asks import Answer, Ask, EndHold, Hold
from realtime.engine.rounds import Rounds
from realtime.engine.store import Held

WAIT_S = 0.1  # for a connection; those that are not back by then wait for rows that others lock

Load: TypeAlias = Callable[[RoomKey], Awaitable[Snapshot | None]]
Commits: TypeAlias = Callable[[Commit], Awaitable[bool]]


class Holds:
    """As many rooms are held at a time as there are connections, which are started and closed by
    whoever made them. A room too many is only read: it may lose another race, but it does not wait
    for rooms that somebody keeps locked."""

    def __init__(
        self, connections: Sequence[Rounds[Ask, Answer]], load: Load, commit: Commits
    ) -> None:
        """`load` and `commit` are those of the store."""
        self._load, self._commit = load, commit
        self._free: asyncio.LifoQueue[Rounds[Ask, Answer]] = asyncio.LifoQueue()
        for connection in connections:
            self._free.put_nowait(connection)

    @asynccontextmanager
    async def hold(self, key: RoomKey) -> AsyncIterator[Held]:
        """As Store.hold."""
        try:
            async with asyncio.timeout(WAIT_S):
                connection = await self._free.get()
        except TimeoutError:
            yield Held(await self._load(key), self._commit)
            return
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
