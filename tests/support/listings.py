"""A listing beside the store whose rows it reads, and matches to keep there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

from django.db import connections
from django.db.utils import ConnectionHandler

from contracts.http import Standing
from realtime.core.rows import MatchRow
from realtime.engine.uuids import uuid7
from realtime.listing import Listing
from tests.support.stores import DatabasePlace, batch, room, told

T = TypeVar("T")
SECONDS_APART = 1.0


def listing_of(place: DatabasePlace, **bounds: Any) -> Listing:
    """A listing of a database that Django's settings do not name."""
    with named(place.config) as alias:
        return Listing(alias, **bounds)


@contextmanager
def named(config: dict[str, Any]) -> Iterator[str]:
    alias = f"scratch_{uuid4().hex}"
    connections.settings[alias] = ConnectionHandler({"default": {}, alias: config}).settings[alias]
    try:
        yield alias
    finally:
        del connections.settings[alias]


def beside(place: DatabasePlace, story: Callable[[Listing, Any], Awaitable[T]], **bounds: Any) -> T:
    """Tell a story about a listing and the store of the same rows."""

    async def opened() -> T:
        store, listing = place.store(), listing_of(place, **bounds)
        await store.start()
        listing.start()
        try:
            return await story(listing, store)
        finally:
            await listing.close()
            await store.close()

    return told(opened())


async def keep_rooms(store: Any, *codes: str, party: str = "leet99", **changed: Any) -> None:
    """Public rooms, each a second newer than the one before."""
    columns = {"visibility": "public", **changed}
    for code in codes:
        uuid = uuid7(next(_moments))
        assert await store.commit(batch(room(code, party), uuid=uuid, **columns))


def _count_up() -> Iterator[float]:
    at = 1_800_000_000.0
    while True:
        yield at
        at += SECONDS_APART


_moments = _count_up()


def match(match_id: str, *scores: int, ended_at: float, **changed: Any) -> MatchRow:
    """A match of players p1, p2 … with these scores, the best first, and a bot that won it."""
    standings = [Standing(1, "bot_1", "Robot", "bot", 10**6)]
    for place, score in enumerate(scores, 1):
        rank = 2 + scores.index(score)
        standings.append(Standing(rank, f"p{place}", f"name{place}", "player", score))
    columns = {"end_reason": "time", "settings": b'{"playerCap":99}', **changed}
    return MatchRow(
        match_id=match_id,
        started_at=ended_at - 60,
        ended_at=ended_at,
        standings=tuple(standings),
        **columns,
    )
