"""What every store has to do, whatever it keeps rooms in."""

import asyncio
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from realtime.core.rows import Revision
from realtime.engine import orm_store as orm_stores
from realtime.engine.store import PRUNED_ENTRIES, PRUNED_ROOMS, Rejected, StorageUnavailable
from realtime.engine.ticks import ticks
from realtime.testing import START
from tests.support.stores import batch, match, on, room, seat

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


def test_bots_have_no_token_and_do_not_collide(place):
    async def story(store):
        bots = [seat(f"bot{n}", role="bot", token_hash=None) for n in range(2)]
        assert await store.commit(batch(ROOM, 0, seat("alice"), *bots))
        assert await store.commit(batch(ROOM, 1, seat("bot2", role="bot", token_hash=None)))

    on(place, story)
    assert place.seats(ROOM).keys() == {"p_alice", "p_bot0", "p_bot1", "p_bot2"}


def test_a_match_is_kept_with_the_turn_that_finished_it(place):
    async def story(store):
        finished = match("m1", "alice", "bob", "carol")
        assert await store.commit(batch(ROOM, matches=(finished, match("m2"))))
        assert await store.confirm(ROOM, 1)

    on(place, story)
    assert place.matches() == {"m1": ["alice", "bob", "carol"], "m2": []}


def test_a_round_keeps_the_matches_of_its_winners_only(place):
    async def story(store):
        await asyncio.gather(*(store.commit(batch(key)) for key in OTHERS))
        await store.commit(batch(OTHERS[3], 1))
        ends = [
            batch(key, 1, matches=(match(key.room_id, "alice"),) if number % 3 == 0 else ())
            for number, key in enumerate(OTHERS)
        ]
        kept = await asyncio.gather(*map(store.commit, ends))
        assert kept == [number != 3 for number in range(8)]

    on(place, story)
    assert place.matches() == {"ROOM0": ["alice"], "ROOM6": ["alice"]}


def test_one_creation_of_a_room_that_ends_at_once_keeps_its_match(place):
    async def story(store):
        founders = [batch(ROOM, uuid=uuid4(), matches=(match(f"m{n}"),)) for n in range(3)]
        kept = await asyncio.gather(*map(store.commit, founders))
        return f"m{kept.index(True)}"

    winner = on(place, story)
    assert place.matches() == {winner: []}


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param((match("m1", "bob"),), id="kept before"),
        pytest.param((match("m2"), match("m2")), id="twice in a batch"),
        pytest.param((match("m2", "bob", "bob"),), id="somebody placed twice"),
    ],
)
def test_a_match_is_kept_once(place, broken):
    async def story(store):
        await store.commit(batch(ROOM, matches=(match("m1", "alice"),)))
        with pytest.raises(Rejected):
            await store.commit(batch(ROOM, 1, matches=broken))
        assert await store.confirm(ROOM, 1)

    on(place, story)
    assert place.matches() == {"m1": ["alice"]}


def scored(score):
    """A match with a score of that kind."""
    (standing,) = match("m1", "alice").standings
    standings = (msgspec.structs.replace(standing, score=score),)
    return msgspec.structs.replace(match("m1"), standings=standings)


def ended(at):
    return msgspec.structs.replace(match("m1"), ended_at=at)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"matches": (scored(1.5),)}, id="a score that is no whole number"),
        pytest.param({"matches": (scored(None),)}, id="no score"),
        pytest.param({"matches": (scored("9"),)}, id="a score in words"),
        pytest.param({"matches": (scored(2**63),)}, id="a score too large"),
        pytest.param({"matches": (ended(1e12),)}, id="an end in milliseconds"),
        pytest.param({"matches": (ended(float("nan")),)}, id="an end that is no number"),
        pytest.param({"alarm_at": 1e12}, id="an alarm in milliseconds"),
        pytest.param({"alarm_at": float("inf")}, id="an alarm that never comes"),
    ],
)
def test_a_value_that_no_row_can_hold_is_refused_for_its_room_alone(place, bad):
    async def story(store):
        await asyncio.gather(*(store.commit(batch(key)) for key in OTHERS))
        commits = [batch(key, 1) for key in OTHERS]
        commits[5] = batch(OTHERS[5], 1, seat("bob"), **bad)
        kept = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)
        assert isinstance(kept.pop(5), Rejected)
        assert kept == [True] * 7
        assert await store.commit(batch(OTHERS[5], 1))

    on(place, story)
    assert place.matches() == {}
    assert place.seats(OTHERS[5]) == {}


def test_rooms_are_due_when_their_alarm_has_come_the_longest_overdue_first(place):
    async def story(store):
        alarms = [START + 30.25, None, START + 10, START + 20, START + 40, START + 10.5]
        for key, at in zip(OTHERS, alarms, strict=False):
            await store.commit(batch(key, alarm_at=at))
        due = [OTHERS[2], OTHERS[5], OTHERS[3], OTHERS[0]]
        assert await store.due(["leet99"], START + 30.25, 10) == due
        assert await store.due(["leet99"], START + 30, 10) == due[:3]
        assert await store.due(["leet99"], START + 30.25, 2) == due[:2]
        assert await store.due(["leet99"], START + 9.75, 10) == []

    on(place, story)


def test_rooms_of_other_parties_are_not_due(place):
    chat, quiz = room("K7PQ2M", party="chat"), room("K7PQ2M", party="quiz")

    async def story(store):
        for number, key in enumerate((chat, ROOM, quiz)):
            await store.commit(batch(key, alarm_at=START + number))
        assert await store.due({"leet99", "quiz"}, START + 5, 10) == [ROOM, quiz]
        assert await store.due((), START + 5, 10) == []

    on(place, story)


def test_an_alarm_that_was_moved_or_cancelled_is_not_due(place):
    async def story(store):
        for key in OTHERS[:3]:
            await store.commit(batch(key, alarm_at=START + 1))
        await store.commit(batch(OTHERS[0], 1, alarm_at=START + 9))
        await store.commit(batch(OTHERS[1], 1, alarms_parked=1))
        assert await store.due(["leet99"], START + 5, 10) == [OTHERS[2]]

    on(place, story)


def expired(key, base, at):
    """The batch that closes a room, whose code is free at `at`."""
    return batch(key, base, status="closed", expires_at=at)


def test_rooms_that_expired_are_deleted_with_all_but_their_matches(place):
    async def story(store):
        for number, key in enumerate(OTHERS[:3]):
            await store.commit(batch(key, 0, seat("a"), matches=(match(f"m{number}", "a"),)))
        await store.commit(expired(OTHERS[0], 1, START + 10))
        await store.commit(expired(OTHERS[1], 1, START + 11))
        assert not await store.prune(START + 9)
        assert await store.confirm(OTHERS[0], 2)
        assert not await store.prune(START + 10)
        loaded = [await store.load(key) for key in OTHERS[:3]]
        assert [snapshot and snapshot.version for snapshot in loaded] == [None, 2, 1]

    on(place, story)
    assert place.counts() == {"rooms": 2, "room_seats": 2, "room_journal": 3}
    assert place.seats(OTHERS[1]) == place.seats(OTHERS[2]) == {"p_a": "a"}
    assert place.journal(OTHERS[1]) == [1, 2]
    assert place.matches() == {"m0": ["a"], "m1": ["a"], "m2": ["a"]}


NOTHING = {"rooms": 0, "room_seats": 0, "room_journal": 0}


def test_so_many_expired_rooms_are_deleted_at_a_time_the_oldest_first(place):
    keys = [room(f"ROOM{number:03}") for number in range(PRUNED_ROOMS + 3)]

    async def story(store):
        closed = (expired(key, 0, START + 200 - number) for number, key in enumerate(keys))
        await asyncio.gather(*map(store.commit, closed))
        assert await store.prune(START + 200)
        kept = await asyncio.gather(*(store.confirm(key, 1) for key in keys))
        assert kept == [*[True] * 3, *[False] * PRUNED_ROOMS]
        assert not await store.prune(START + 200)

    on(place, story)
    assert place.counts() == NOTHING


def long(key, entries, at):
    """A room that expires at `at`, with so many entries in its journal."""
    return batch(key, 0, seat("a"), turns=entries, status="closed", expires_at=at)


def test_so_many_entries_are_deleted_at_a_time_and_rooms_go_with_their_last(place):
    half = PRUNED_ENTRIES // 2

    async def story(store):
        for number, entries in enumerate((half, half + 1, 3)):
            await store.commit(long(OTHERS[number], entries, START + number))
        assert await store.prune(START + 9)
        assert [await store.load(key) is None for key in OTHERS[:3]] == [True, False, False]
        assert place.counts() == {"rooms": 2, "room_seats": 2, "room_journal": 4}
        assert not await store.prune(START + 9)

    on(place, story)
    assert place.counts() == NOTHING


def test_entries_that_just_fill_a_slice_leave_nothing_behind(place):
    async def story(store):
        await store.commit(long(ROOM, PRUNED_ENTRIES, START))
        while await store.prune(START):
            pass

    on(place, story)
    assert place.counts() == NOTHING


def test_a_room_whose_journal_is_half_deleted_stays_closed(place):
    closed = long(ROOM, PRUNED_ENTRIES + 1, START)

    async def story(store):
        await store.commit(closed)
        assert await store.prune(START)
        assert place.journal(ROOM) == [closed.version]
        assert place.seats(ROOM) == {"p_a": "a"}
        assert await store.load(ROOM) == closed.snapshot
        assert not await store.commit(batch(ROOM, uuid=uuid4()))
        assert await store.commit(expired(ROOM, closed.version, START + 9))
        assert not await store.prune(START + 8)
        assert await store.confirm(ROOM, closed.version + 1)
        assert not await store.prune(START + 9)
        assert await store.load(ROOM) is None

    on(place, story)
    assert place.counts() == NOTHING


def test_the_code_of_a_deleted_room_is_free(place):
    async def story(store):
        await store.commit(batch(ROOM, 0, seat("alice"), matches=(match("m1", "alice"),)))
        await store.commit(expired(ROOM, 1, START + 10))
        again = batch(ROOM, 0, seat("bob"), uuid=uuid4(), matches=(match("m2", "bob"),))
        assert not await store.commit(again)
        await store.prune(START + 10)
        assert not await store.commit(batch(ROOM, 2))
        assert await store.commit(again)
        assert await store.load(ROOM) == again.snapshot

    on(place, story)
    assert place.seats(ROOM) == {"p_bob": "bob"}
    assert place.journal(ROOM) == [1]
    assert place.matches() == {"m1": ["alice"], "m2": ["bob"]}


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


def test_readiness_is_asked_once_a_second_whoever_asks(database, monkeypatch):
    async def story(store):
        together = [store.check() for _ in range(20)]
        found = [*await asyncio.gather(*together), await store.check()]
        assert found == [{"database": "ok", "migrations": "ok"}] * 21
        assert len(asked) == 1
        now[0] += orm_stores.CHECK_KEPT_S
        await asyncio.gather(store.check(), store.check())
        assert len(asked) == 2

    asked: list[Any] = []
    now = [100.0]
    monkeypatch.setattr(orm_stores, "monotonic", lambda: now[0])
    count_findings(monkeypatch, asked)
    on(database, story)


def test_who_stops_waiting_for_readiness_takes_no_answer_from_others(database):
    async def story(store):
        impatient, patient = (asyncio.create_task(store.check()) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert set((await patient).values()) == {"ok"}

    on(database, story)


def count_findings(monkeypatch, asked):
    """`asked` grows by one with every look into the database."""
    findings = orm_stores.OrmStore._findings

    def counted(store):
        asked.append(store)
        return findings(store)

    monkeypatch.setattr(orm_stores.OrmStore, "_findings", counted)


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


def test_a_hold_shows_the_room_and_keeps_what_is_committed_in_it(place):
    async def story(store):
        async with store.hold(ROOM) as held:
            assert held.snapshot is None
            assert await held.commit(batch(ROOM, 0, seat("alice")))
        async with store.hold(ROOM) as held:
            assert held.snapshot == await store.load(ROOM)
        async with store.hold(ROOM) as held:
            assert await held.commit(batch(ROOM, 1, seat("bob")))
        assert await store.confirm(ROOM, 2)

    on(place, story)
    assert set(place.seats(ROOM)) == {"p_alice", "p_bob"}


def test_a_hold_that_is_rejected_leaves_nothing(place):
    async def story(store):
        await store.commit(batch(ROOM, 0, seat("alice")))
        with pytest.raises(Rejected):
            async with store.hold(ROOM) as held:
                await held.commit(batch(ROOM, 1, seat("Alice", "p_other")))
        assert await store.confirm(ROOM, 1)
        assert await store.commit(batch(ROOM, 1))

    on(place, story)


def test_versions_are_told_of_the_rooms_there_are(place):
    async def story(store):
        await store.commit(batch(ROOM, turns=3))
        await store.commit(batch(OTHERS[0]))
        await store.commit(batch(OTHERS[2], tag=7))
        found = await store.versions([ROOM, *OTHERS[:3]])
        assert found == {ROOM: (3, 0), OTHERS[0]: (1, 0), OTHERS[2]: (1, 7)}
        assert await store.versions([]) == {}

    on(place, story)


LARGE = 2**63 - 1  # the largest tag


def test_a_revision_is_a_version_and_its_tag(place):
    async def story(store):
        created = batch(ROOM, tag=LARGE)
        assert await store.commit(created)
        assert await store.load(ROOM) == created.snapshot
        async with store.hold(ROOM) as held:
            assert held.snapshot.revision == (1, LARGE)
        confirmed = [await store.confirm(ROOM, 1, tag) for tag in (LARGE, LARGE - 1, 0)]
        assert confirmed == [True, False, False]
        for other in (0, LARGE - 1):
            assert not await store.commit(batch(ROOM, 1, seat("bob"), base_tag=other, tag=3))
        assert await store.commit(batch(ROOM, 1, seat("carol"), base_tag=LARGE, tag=3))
        assert await store.confirm(ROOM, 2, 3)

    on(place, story)
    assert place.seats(ROOM) == {"p_carol": "carol"}


def test_a_row_that_resembles_the_last_one_gets_its_tag_too(place):
    async def story(store):
        await store.commit(batch(ROOM, tag=5))
        alike = msgspec.structs.replace(batch(ROOM, 1, base_tag=5, tag=6), alike=True)
        other = msgspec.structs.replace(alike, base_tag=4)
        assert not await store.commit(other)
        assert await store.commit(alike)
        assert await store.confirm(ROOM, 2, 6)

    on(place, story)


def test_a_room_that_lost_its_history_takes_no_others_with_it(place):
    async def story(store):
        await asyncio.gather(*(store.commit(batch(key, tag=5)) for key in OTHERS))
        commits = [batch(key, 1, base_tag=5 if n != 3 else 4) for n, key in enumerate(OTHERS)]
        kept = await asyncio.gather(*map(store.commit, commits))
        assert kept == [number != 3 for number in range(8)]

    on(place, story)


def lives_on(key):
    """What is kept after the history was set back to version 1: as many versions as are lost."""
    return batch(key, 1, seat("carol"), base_tag=1, tag=30), batch(key, 2, base_tag=30, tag=31)


def test_after_history_was_set_back_nothing_is_kept_on_what_was_lost(place):
    """Also when the versions have come to the same number again."""

    async def story(store):
        await store.commit(batch(ROOM, 0, seat("alice"), tag=1))
        set_back = place.back_up()
        await store.commit(batch(ROOM, 1, seat("bob"), base_tag=1, tag=20))
        await store.commit(batch(ROOM, 2, base_tag=20, tag=21))
        lost = batch(ROOM, 3, seat("dave"), base_tag=21, tag=22)
        set_back()
        assert not await store.commit(lost)
        assert not await store.confirm(ROOM, 3, 21)
        assert await store.versions([ROOM]) == {ROOM: (1, 1)}
        for one in lives_on(ROOM):
            assert await store.commit(one)
        assert not await store.commit(lost)
        async with store.hold(ROOM) as held:
            assert held.snapshot.revision == (3, 31)
            assert not await held.commit(lost)
        assert not await store.confirm(ROOM, 3, 21)
        assert await store.confirm(ROOM, 3, 31)

    on(place, story)
    assert place.seats(ROOM) == {"p_alice": "alice", "p_carol": "carol"}
    assert place.journal(ROOM) == [1, 2, 3]


def test_the_journal_tells_which_revisions_a_room_has_passed(place):
    async def story(store):
        assert not await store.passed(ROOM, Revision(1, 1))
        await store.commit(batch(ROOM, tag=1))
        set_back = place.back_up()
        await store.commit(batch(ROOM, 1, base_tag=1, tag=20))
        assert await store.passed(ROOM, Revision(2, 20))
        set_back()
        assert not await store.passed(ROOM, Revision(2, 20))
        for one in lives_on(ROOM):
            await store.commit(one)
        passed = [(1, 1), (2, 30), (3, 31), (2, 20), (3, 30), (4, 31)]
        found = [await store.passed(ROOM, Revision(*one)) for one in passed]
        assert found == [True, True, True, False, False, False]

    on(place, story)


def test_entries_of_before_have_no_tag_and_fit_any(place):
    async def story(store):
        await store.commit(batch(ROOM, turns=2))
        assert await store.passed(ROOM, Revision(2, 0))
        assert await store.passed(ROOM, Revision(1, 77))
        assert not await store.passed(ROOM, Revision(3, 0))

    on(place, story)


def test_a_clock_that_several_share_is_read(place):
    """Between two questions of our own, so that no network has to be quick."""

    async def story(store):
        began, said_before = ticks(), database_time(place)
        reading = await store.now()
        return said_before - ticks(), reading, database_time(place) - began

    if place.store().alone:
        assert on(place, lambda store: store.now()) is None
        return
    least_s, reading, most_s = on(place, story)
    assert least_s <= reading.offset_s <= most_s
    assert 0 <= reading.trip_s <= most_s - least_s
    assert abs(reading.host_ahead_s) <= most_s - least_s, "one machine, one clock"


def database_time(place):
    return place.rows("SELECT extract(epoch FROM clock_timestamp())::float8")[0][0]


def test_a_room_knows_when_its_last_turn_was(place):
    at = START + 3600.123457

    async def story(store):
        created = batch(ROOM, turns=2)
        last = msgspec.structs.replace(created.journal[-1], at=at)
        await store.commit(msgspec.structs.replace(created, journal=(created.journal[0], last)))
        async with store.hold(ROOM) as held:
            return (await store.load(ROOM)).at, held.snapshot.at

    assert on(place, story) == (at, at)
