"""Lists of rooms, matches and scores, on real databases, from what a store has committed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.limits import ROOMS_PAGE
from contracts.queries import LeaderboardQuery, MatchesQuery, RoomsQuery
from realtime import listing as lists
from realtime.core.commands import Inspect, Register
from realtime.core.rows import RoomKey
from realtime.engine.store import StorageUnavailable
from realtime.models import Room
from realtime.reads import ALIAS
from tests.support.cable import Cable
from tests.support.engine import Bench, register, settled
from tests.support.listings import beside, keep_rooms, match
from tests.support.loops import PATIENCE_S
from tests.support.stores import batch, room

NOW = time.time()
DAY_S = 24 * 3600.0
EVERYTHING = RoomsQuery()


@pytest.fixture(autouse=True)
def _queries_are_allowed(django_db_blocker):
    with django_db_blocker.unblock():
        yield


def public(name: str, **settings) -> Register:
    return msgspec.structs.replace(register(name, host=True, **settings), visibility="public")


async def codes(listing, query: RoomsQuery = EVERYTHING, party: str = "leet99") -> list[str]:
    return [one.room_id for one in (await listing.rooms(party, query)).rooms]


async def refusal_of(call) -> Code:
    with pytest.raises(RoomError) as caught:
        await call
    return caught.value.code


class TestRooms:
    def test_are_the_public_ones_of_the_party_the_newest_first(self, database):
        async def story(listing, store):
            await keep_rooms(store, "AAAAAA", "BBBBBB")
            await keep_rooms(store, "CCCCCC", visibility="private")
            await keep_rooms(store, "DDDDDD", status="closed")
            await keep_rooms(store, "EEEEEE", party="chat")
            await keep_rooms(store, "FFFFFF", status="in_game", phase="main")
            assert await codes(listing) == ["FFFFFF", "BBBBBB", "AAAAAA"]
            assert await codes(listing, party="chat") == ["EEEEEE"]

        beside(database, story)

    def test_are_summed_up_as_the_room_itself_does(self, database):
        async def story(listing, store):
            bench = Bench(store)
            key = RoomKey("leet99", "K7PQ2M")
            await bench.ask(public("alice", playerCap=3, difficultyProfile="beginner"), key)
            await bench.ask(register("bob"), key)
            watching = msgspec.structs.replace(register("carol"), role="spectator")
            await bench.ask(watching, key)
            state = await bench.ask(Inspect(), key)
            [listed] = (await listing.rooms("leet99", EVERYTHING)).rooms
            assert (listed.room_id, listed.phase) == (state.room_id, state.phase)
            assert (listed.counts.players, listed.counts.spectators) == (2, 1)
            assert listed.counts.players == state.player_counts.players
            assert listed.counts.spectators == state.player_counts.spectators
            assert msgspec.json.decode(listed.settings) == msgspec.json.decode(state.settings)
            await bench.rooms.close()

        beside(database, story)

    def test_are_listed_as_soon_as_they_are_answered(self, database):
        async def story(listing, store):
            bench = Bench(store)
            for number in range(20):
                code = f"ROOM{number:02}"
                await bench.ask(public("alice"), RoomKey("leet99", code))
                assert code in await codes(listing)
            await bench.rooms.close()

        beside(database, story)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (RoomsQuery(status="open"), ["FULLUP", "OPENED"]),
            (RoomsQuery(status="in_game"), ["INGAME"]),
            (RoomsQuery(has_space=True), ["OPENED"]),
            (RoomsQuery(has_space=False), ["INGAME", "FULLUP"]),
            (RoomsQuery(status="open", has_space=False), ["FULLUP"]),
            (RoomsQuery(status="in_game", has_space=True), []),
        ],
    )
    def test_are_filtered(self, database, query, expected):
        async def story(listing, store):
            await keep_rooms(store, "OPENED", players=3, max_players=4)
            await keep_rooms(store, "FULLUP", players=4, max_players=4)
            await keep_rooms(store, "INGAME", players=3, max_players=4, status="in_game")
            assert await codes(listing, query) == expected

        beside(database, story)

    def test_come_in_pages_without_a_gap_and_without_a_repeat(self, database):
        made = [f"ROOM{number:02}" for number in range(ROOMS_PAGE + 7)]

        async def story(listing, store):
            await keep_rooms(store, *made)
            first = await listing.rooms("leet99", EVERYTHING)
            await keep_rooms(store, "NEWER1")  # turns up on a first page only
            rest = await listing.rooms("leet99", RoomsQuery(cursor=first.next_cursor))
            listed = [one.room_id for one in (*first.rooms, *rest.rooms)]
            assert len(first.rooms) == ROOMS_PAGE
            assert listed == made[::-1]
            assert rest.next_cursor is None

        beside(database, story)

    def test_that_just_fill_a_page_have_no_next_one(self, database):
        async def story(listing, store):
            await keep_rooms(store, *(f"ROOM{number:02}" for number in range(ROOMS_PAGE)))
            assert (await listing.rooms("leet99", EVERYTHING)).next_cursor is None

        beside(database, story)

    @pytest.mark.parametrize("cursor", ["x", "A" * 21, "A" * 23, "A" * 64, "-" * 20])
    def test_after_no_cursor_of_ours_are_none(self, database, cursor):
        async def story(listing, store):
            with pytest.raises(RoomError) as caught:
                await listing.rooms("leet99", RoomsQuery(cursor=cursor))
            assert caught.value.details[0].path == "cursor"

        beside(database, story)


class TestMatches:
    def test_of_a_room_are_listed_the_newest_first(self, database):
        async def story(listing, store):
            played = tuple(match(f"m{n}", 5, 3, ended_at=NOW + n) for n in range(5))
            await store.commit(batch(room("K7PQ2M"), turns=5, matches=played))
            await store.commit(batch(room("OTHER2"), matches=(match("m9", 1, ended_at=NOW),)))
            found = await listing.matches(room("K7PQ2M"), MatchesQuery(3))
            assert found.room_id == "K7PQ2M"
            assert [one.match_id for one in found.matches] == ["m4", "m3", "m2"]
            assert {one.room_id for one in found.matches} == {"K7PQ2M"}

        beside(database, story)

    def test_of_a_closed_room_are_listed_while_it_has_its_code(self, database):
        async def story(listing, store):
            played = (match("m1", 5, ended_at=NOW),)
            await store.commit(batch(room("K7PQ2M"), status="closed", matches=played))
            found = await listing.matches(room("K7PQ2M"), MatchesQuery())
            assert [one.match_id for one in found.matches] == ["m1"]

        beside(database, story)

    def test_of_a_room_that_played_none_are_none(self, database):
        async def story(listing, store):
            await keep_rooms(store, "K7PQ2M")
            assert (await listing.matches(room("K7PQ2M"), MatchesQuery())).matches == []
            for other in (room("ZZZZZZ"), room("K7PQ2M", party="chat")):
                call = listing.matches(other, MatchesQuery())
                assert await refusal_of(call) is Code.ROOM_NOT_FOUND

        beside(database, story)

    def test_are_reported_with_their_standings_by_rank(self, database):
        async def story(listing, store):
            played = match("m_1", 9, 9, 4, ended_at=1_800_000_000.25)
            await store.commit(batch(room("K7PQ2M"), matches=(played,)))
            report = await listing.match("m_1")
            assert msgspec.json.decode(jsonio.encode(report.match)) == {
                "matchId": "m_1",
                "roomId": "K7PQ2M",
                "startAt": "2027-01-15T07:59:00.250Z",
                "endAt": "2027-01-15T08:00:00.250Z",
                "endReason": "time",
                "settings": {"playerCap": 99},
            }
            standings = [(one.rank, one.username, one.role, one.score) for one in report.standings]
            assert standings == [
                (1, "Robot", "bot", 10**6),
                (2, "name1", "player", 9),
                (2, "name2", "player", 9),
                (4, "name3", "player", 4),
            ]
            assert await refusal_of(listing.match("m_2")) is Code.MATCH_NOT_FOUND

        beside(database, story)


class TestTheLeaderboard:
    def test_ranks_players_by_score_and_equals_by_time(self, database):
        async def story(listing, store):
            played = (
                match("later", 50, 20, ended_at=NOW - 10),
                match("earlier", 50, 30, ended_at=NOW - 20),
            )
            await store.commit(batch(room("K7PQ2M"), turns=2, matches=played))
            board = await listing.leaderboard("leet99", LeaderboardQuery())
            assert [(one.rank, one.score, one.match_id) for one in board.entries] == [
                (1, 50, "earlier"),
                (1, 50, "later"),
                (3, 30, "earlier"),
                (4, 20, "later"),
            ]
            assert board.window == "all"
            few = await listing.leaderboard("leet99", LeaderboardQuery(limit=3))
            assert few.entries == board.entries[:3]

        beside(database, story)

    def test_a_day_is_one_of_the_clock_that_rooms_go_by(self, database):
        """Not of this host's, which is two days behind it."""

        async def story(listing, store):
            played = match("yesterday", 1, ended_at=NOW), match("now", 2, ended_at=NOW + 2 * DAY_S)
            await store.commit(batch(room("K7PQ2M"), turns=2, matches=played))
            board = await listing.leaderboard("leet99", LeaderboardQuery("day"))
            assert [one.match_id for one in board.entries] == ["now"]

        beside(database, story, clock=lambda: NOW + 2 * DAY_S)

    @pytest.mark.parametrize(
        ("window", "expected"),
        [
            ("day", ["today"]),
            ("week", ["days_ago", "today"]),
            ("all", ["once", "days_ago", "today"]),
        ],
    )
    @pytest.mark.parametrize("few", [1000, 0])
    def test_looks_back_as_far_as_asked(self, database, window, expected, few, monkeypatch):
        monkeypatch.setattr(lists, "FEW_MATCHES", few)

        async def story(listing, store):
            played = (
                match("today", 1, ended_at=NOW - 0.9 * DAY_S),
                match("days_ago", 2, ended_at=NOW - 6.9 * DAY_S),
                match("once", 3, ended_at=NOW - 7.1 * DAY_S),
            )
            assert (await listing.leaderboard("leet99", LeaderboardQuery(window))).entries == []
            await store.commit(batch(room("K7PQ2M"), turns=3, matches=played))
            board = await listing.leaderboard("leet99", LeaderboardQuery(window))
            assert [one.match_id for one in board.entries] == expected

        beside(database, story)


def queries_of(read, *arguments) -> int:
    """How many queries a read asks; called in a listing's own thread."""
    with CaptureQueriesContext(connections[ALIAS]) as asked:
        read(*arguments)
    return len(asked)


def test_no_list_asks_more_queries_because_it_is_longer(database):
    async def story(listing, store):
        for number in range(10):
            played = (match(f"m{number}", *range(30, 0, -1), ended_at=NOW + number),)
            key = room(f"ROOM{number:02}")
            await store.commit(batch(key, visibility="public", matches=played))
        asked = [
            await listing._reads.ask(queries_of, *read)
            for read in (
                (lists.room_page, "leet99", EVERYTHING, None),
                (lists.room_matches, room("ROOM00"), 20),
                (lists.match_report, "m0"),
                (lists.leaderboard, "leet99", LeaderboardQuery()),
                (lists.leaderboard, "leet99", LeaderboardQuery("week")),
            )
        ]
        assert asked == [1, 2, 2, 1, 2]

    beside(database, story)


def test_a_listing_writes_nothing(database):
    def write() -> None:
        Room.objects.using(ALIAS).update(players=0)

    async def story(listing, store):
        await keep_rooms(store, "K7PQ2M")
        with pytest.raises(StorageUnavailable, match=r"read-?only"):
            await listing._reads.ask(write)

    beside(database, story)


class TestBounds:
    def test_a_call_too_many_is_refused_at_once(self, database):
        async def story(listing, store):
            calls = [listing.rooms("leet99", EVERYTHING) for _ in range(12)]
            ended = await asyncio.gather(*calls, return_exceptions=True)
            refused = [one for one in ended if isinstance(one, StorageUnavailable)]
            assert len(refused) == 2
            assert await codes(listing) == []  # there are places again

        beside(database, story, calls_max=10)

    def test_a_read_that_takes_too_long_is_broken_off(self, database):
        async def story(listing, store):
            calls = [listing._reads.ask(dawdle) for _ in range(4)]
            ended = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(one) for one in ended} == {StorageUnavailable}
            assert await codes(listing) == []

        beside(database, story, limit_s=1.7)

    def test_a_bug_is_its_callers_alone(self, database):
        async def story(listing, store):
            calls: list[Awaitable[Any]] = [
                listing._reads.ask(broken),
                listing.rooms("leet99", EVERYTHING),
            ]
            ended: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
            bug, page = ended
            assert isinstance(bug, LookupError)
            assert page.rooms == []

        beside(database, story)


def dawdle() -> None:
    """Read until it is broken off."""
    connection = connections[ALIAS]
    sql = "SELECT pg_sleep(86400)"
    if connection.vendor == "sqlite":
        sql = (
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.fetchall()


def broken() -> None:
    raise LookupError


def test_what_went_wrong_is_told_without_the_values_it_quotes(postgresql):
    def stumble() -> None:
        quoting = "RAISE 'no such thing' USING DETAIL = 'Failing row contains (alice).'"
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(f"DO $$ BEGIN {quoting}; END $$")

    async def story(listing, store):
        with pytest.raises(StorageUnavailable, match=r"^no such thing$"):
            await listing._reads.ask(stumble)

    beside(postgresql, story)


def test_equal_questions_that_wait_together_are_asked_once(database):
    asked, all_wait = [], threading.Event()

    def question(number):
        asked.append(number)
        all_wait.wait(PATIENCE_S)
        return number

    async def story(listing, store):
        calls = [listing._reads.ask(question, number % 2) for number in range(60)]
        waiting = asyncio.gather(*calls)
        await settled()
        all_wait.set()
        assert await waiting == [0, 1] * 30
        assert len(asked) <= 8

    beside(database, story)


def test_a_lost_connection_is_replaced_before_anybody_notices(postgresql):
    ours = "application_name = 'greenroom listings' AND datname = current_database()"

    async def story(listing, store):
        await keep_rooms(store, "K7PQ2M")
        for _ in range(3):
            calls = [listing.rooms("leet99", RoomsQuery(status=one)) for one in ("open", None)]
            open_rooms, rooms = await asyncio.gather(*calls)
            assert len(open_rooms.rooms) == len(rooms.rooms) == 1
            query = f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE {ours}"
            assert postgresql.rows(query)
            await asyncio.sleep(0.05)

    beside(postgresql, story)


def test_a_silent_database_is_given_up_and_asked_anew_when_it_speaks(postgresql):
    server = urlsplit(postgresql.scratch.url)

    async def story(listing, store):
        await keep_rooms(store, "K7PQ2M")
        cable = Cable(server.hostname, server.port or 5432)
        async with cable.open() as port:
            moved = {"HOST": "127.0.0.1", "PORT": str(port)}
            for thread in listing._reads._threads:
                thread._work._database.update(moved)
            assert await codes(listing) == ["K7PQ2M"]
            cable.mute = True
            with pytest.raises(StorageUnavailable, match="no answer within"):
                await listing.rooms("leet99", EVERYTHING)
            cable.mute = False
            assert await codes(listing) == ["K7PQ2M"]

    beside(postgresql, story, limit_s=1.7)


def test_an_absent_database_is_said_to_be_unavailable(postgresql):
    async def story(listing, store):
        for thread in listing._reads._threads:
            thread._work._database["PORT"] = "1"
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                await listing.rooms("leet99", EVERYTHING)

    beside(postgresql, story)


PLANS = {
    "rooms": (lambda: lists.room_page("leet99", EVERYTHING, None), "rooms_listed"),
    "open": (lambda: lists.room_page("leet99", RoomsQuery("open", True), None), "rooms_listed"),
    "matches": (lambda: lists.room_matches(room("K7PQ2M"), 20), "matches_of_room"),
    "leaders": (lambda: lists.leaderboard("leet99", LeaderboardQuery()), "match_players_leaders"),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_list_is_read_along_an_index(database, name):
    read, index = PLANS[name]

    def plan() -> str:
        connection = connections[ALIAS]
        with CaptureQueriesContext(connection) as asked:
            read()
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        with connection.cursor() as cursor:
            if connection.vendor != "sqlite":
                cursor.execute("SET enable_seqscan = off")  # the tables are small
                cursor.execute("SET enable_hashjoin = off")
            cursor.execute(f"{explain} {asked[-1]['sql']}")
            return str(cursor.fetchall())

    async def story(listing, store):
        played = (match("m1", 3, 2, 1, ended_at=NOW),)
        await store.commit(batch(room("K7PQ2M"), visibility="public", matches=played))
        assert index in await listing._reads.ask(plan)

    beside(database, story)
