"""Places to keep rooms in, one of each kind, and batches to keep there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sized
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from django.db import connections
from django.db.utils import ConnectionHandler

from config import kinds
from config.settings import postgresql
from contracts.http import Standing
from realtime.auth import token_hash
from realtime.core.rows import (
    Commit,
    JournalRow,
    MatchRow,
    RoomKey,
    RoomRow,
    SeatRow,
)
from realtime.engine.memory_store import MemoryStore
from realtime.engine.orm_store import OrmStore
from realtime.testing import START
from tests.support.databases import PostgresDatabase, SqliteFile

PATIENCE_S = 120.0
TABLES = ("rooms", "room_journal", "room_seats")

T = TypeVar("T")


class MemoryPlace:
    """Memory: everything that `store` makes is the same store."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def store(self) -> MemoryStore:
        return self._store

    def back_up(self) -> Callable[[], None]:
        """What sets the rooms back to how they are now."""
        kept = deepcopy(vars(self._store))
        return lambda: vars(self._store).update(deepcopy(kept))

    def journal(self, key: RoomKey) -> list[int]:
        return [turn.version for turn in self._store.journals.get(key, [])]

    def seats(self, key: RoomKey) -> dict[str, str]:
        seats = self._store.seats.get(key, {}).values()
        return {seat.player_id: seat.username for seat in seats}

    def matches(self) -> dict[str, list[str]]:
        kept = self._store.matches.values()
        return {match.match_id: [one.username for one in match.standings] for match in kept}

    def counts(self) -> dict[str, int]:
        kept: dict[str, Iterable[Sized]] = {"rooms": [self._store.rows]}
        kept["room_seats"] = self._store.seats.values()
        kept["room_journal"] = self._store.journals.values()
        return {table: sum(map(len, parts)) for table, parts in kept.items()}


class DatabasePlace:
    """A database of its own, with the tables in it."""

    def __init__(self, scratch: SqliteFile | PostgresDatabase) -> None:
        self.scratch = scratch
        self.rows = scratch.rows

    def store(self, **options: Any) -> OrmStore:
        return orm_store(self.config, **options)

    @property
    def config(self) -> dict[str, Any]:
        """As an entry of Django's DATABASES."""
        if isinstance(self.scratch, PostgresDatabase):
            return postgresql(kinds.DATABASE.parse(self.scratch.url))
        file = self.scratch.folder / "greenroom.sqlite3"
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file}

    def back_up(self) -> Callable[[], None]:
        """What sets the rooms back to how they are now, under the stores that are open."""
        self.scratch.run(*(f"CREATE TABLE kept_{one} AS SELECT * FROM {one}" for one in TABLES))
        empty = [f"DELETE FROM {one}" for one in reversed(TABLES)]
        fill = [f"INSERT INTO {one} SELECT * FROM kept_{one}" for one in TABLES]
        return lambda: self.scratch.run(*empty, *fill)

    def journal(self, key: RoomKey) -> list[int]:
        query = """SELECT room_journal.version FROM room_journal JOIN rooms USING (room_id)
            WHERE party = ? AND code = ? ORDER BY 1"""
        return [version for (version,) in self.rows(query, *key)]

    def seats(self, key: RoomKey) -> dict[str, str]:
        query = """SELECT player_id, username FROM room_seats JOIN rooms USING (room_id)
            WHERE party = ? AND code = ?"""
        return dict(self.rows(query, *key))

    def matches(self) -> dict[str, list[str]]:
        query = "SELECT match_id, username FROM match_players ORDER BY place"
        found: dict[str, list[str]] = {
            match_id: [] for (match_id,) in self.rows("SELECT match_id FROM matches")
        }
        for match_id, username in self.rows(query):
            found[match_id].append(username)
        return found

    def counts(self) -> dict[str, int]:
        tables = ("rooms", "room_seats", "room_journal")
        return {table: self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}


class PostgresPlace(DatabasePlace):
    """A database on a server, which several stores may use, each as if in a process of its own."""

    @asynccontextmanager
    async def stores(self, count: int) -> AsyncIterator[list[OrmStore]]:
        opened = [self.store() for _ in range(count)]
        await asyncio.gather(*(store.start() for store in opened))
        try:
            yield opened
        finally:
            await asyncio.gather(*(store.close() for store in opened))

    def backends(self, condition: str = "true") -> list[int]:
        """The server's processes that serve our stores."""
        query = f"""SELECT pid FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'greenroom rooms' AND {condition}"""
        return [pid for (pid,) in self.rows(query)]

    def terminate(self) -> int:
        """End the stores' connections from the server's side; how many there were."""
        end = "SELECT pg_terminate_backend(?, 5000)"  # waits so many ms for it
        return sum(self.rows(end, pid)[0][0] for pid in self.backends())


Place = MemoryPlace | DatabasePlace


def orm_store(config: dict[str, Any], **options: Any) -> OrmStore:
    """A store on a database that Django's settings do not name."""
    alias = f"scratch_{uuid4().hex}"
    connections.settings[alias] = ConnectionHandler({"default": {}, alias: config}).settings[alias]
    try:
        return OrmStore(alias, **options)
    finally:
        del connections[alias]
        del connections.settings[alias]


def told(story: Awaitable[T]) -> T:
    """Run a story to its end on an event loop of its own, but not for ever."""

    async def within_reason() -> T:
        async with asyncio.timeout(PATIENCE_S):
            return await story

    return asyncio.run(within_reason())


def on(place: Place, story: Callable[[Any], Awaitable[T]], **options: Any) -> T:
    """Tell a story about one store."""

    async def opened() -> T:
        store = place.store(**options)
        await store.start()
        try:
            return await story(store)
        finally:
            await store.close()

    return told(opened())


def room(code: str, party: str = "leet99") -> RoomKey:
    return RoomKey(party, code)


def seat(name: str, player: str = "", **changed: Any) -> SeatRow:
    """Where `player` (else p_<name>) sits under the name `name`."""
    columns: dict[str, Any] = {
        "player_id": player or f"p_{name}",
        "username": name,
        "username_key": name.casefold(),
        "role": "player",
        "token_hash": token_hash(f"t_{player or name}"),
        "is_host": False,
        "seat_index": None,
        "joined_at": START,
    }
    return SeatRow(**columns | changed)


def match(match_id: str, *names: str) -> MatchRow:
    """A match that ended with these names, the best first."""
    standings = (
        Standing(rank, f"p_{name}", name, "player", 100 - rank)
        for rank, name in enumerate(names, 1)
    )
    return MatchRow(match_id, START, START + 90.5, "finished", b'{"lives":3}', tuple(standings))


def batch(
    key: RoomKey,
    base: int = 0,
    *seats: SeatRow,
    turns: int = 1,
    gone: tuple[str, ...] = (),
    uuid: UUID | None = None,
    matches: tuple[MatchRow, ...] = (),
    base_tag: int = 0,
    tag: int = 0,
    **changed: Any,
) -> Commit:
    """A commit of `turns` turns that seats some, lets others go, and changes the row."""
    version = base + turns
    columns: dict[str, Any] = {
        "visibility": "private",
        "status": "open",
        "phase": "lobby",
        "max_players": 99,
        "players": 1,
        "spectators": 0,
        "settings": b'{"playerCap":99}',
        "seq": version,
        "state": b'{"version":%d}' % version,
    }
    return Commit(
        key=key,
        uuid=uuid or uuid5(NAMESPACE_URL, "/".join(key)),
        base=base,
        row=RoomRow(**columns | changed),
        journal=tuple(
            JournalRow(number, START + number, "Register", "p_alice", b'{"seed":7}')
            for number in range(base + 1, version + 1)
        ),
        changed=(*gone, *(seat.player_id for seat in seats)),
        seats=seats,
        matches=matches,
        base_tag=base_tag,
        tag=tag,
    )
