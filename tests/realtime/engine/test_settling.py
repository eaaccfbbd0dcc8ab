"""A round: what is tried together, and what is tried again alone."""

import pytest

from realtime.core.rows import Revision, Snapshot
from realtime.engine.asks import Confirm, DueRooms, Load, Prune
from realtime.engine.settling import Settling
from realtime.engine.store import Busy, Rejected, StorageUnavailable
from tests.support.stores import batch, room

ROOMS = [room(f"ROOM{number}") for number in range(4)]
COMMITS = [batch(key) for key in ROOMS]


class ScriptedDatabase:
    """Fails every transaction that holds certain rooms, and remembers what was tried."""

    def __init__(self, failure=None, *, about=(ROOMS[1],)):
        self.failure = failure
        self.about = {*about}
        self.tried = []
        self.hurried = []
        self.wanted = []

    def keep(self, commits, *, patient=True):
        keys = [commit.key for commit in commits]
        self.tried.append(keys)
        if not patient:
            self.hurried += keys
        if self.failure and self.about.intersection(keys):
            raise self.failure
        return [True] * len(commits)

    def find(self, keys):
        self.wanted.append(keys)
        return {key: Snapshot(COMMITS[0].uuid, 7, b"") for key in keys if key == ROOMS[0]}

    def due(self, parties, now, limit):
        if self.failure:
            raise self.failure
        return [key for key in ROOMS if key.party in parties][:limit]

    def prune(self, now, rooms, entries):
        self.tried.append(f"prune at {now}: {rooms} rooms, {entries} entries")
        return True

    def interrupt(self): ...

    def close(self): ...


def test_a_round_is_one_transaction():
    database = ScriptedDatabase()
    assert Settling(database).run(COMMITS) == [True] * 4
    assert database.tried == [ROOMS]


@pytest.mark.parametrize("failure", [Rejected("constraint"), Busy("deadlock")])
def test_after_a_rollback_each_is_tried_alone(failure):
    database = ScriptedDatabase(failure)
    assert Settling(database).run(COMMITS) == [True, failure, True, True]
    assert database.tried == [ROOMS, *([key] for key in ROOMS)]


def test_what_cannot_be_written_down_is_rejected_without_repeating_it():
    database = ScriptedDatabase(OverflowError("the secret 10**99 is too large"))
    kept, rejected, *others = Settling(database).run(COMMITS)
    assert isinstance(rejected, Rejected)
    assert str(rejected) == "a value that no row can hold (OverflowError)"
    assert (kept, others) == (True, [True, True])


def test_a_round_waits_for_locks_but_once():
    database = ScriptedDatabase(Busy("held"), about=(ROOMS[1], ROOMS[3]))
    Settling(database).run(COMMITS)
    assert database.hurried == ROOMS


def test_those_who_are_tried_alone_wait_until_one_has_waited_in_vain():
    database = ScriptedDatabase(Busy("held"))
    answers = Settling(database).run([*COMMITS, COMMITS[1]])
    assert answers == [True, database.failure, True, True, database.failure]
    assert database.hurried == [ROOMS[2], ROOMS[3], ROOMS[1]]


def test_what_may_have_been_kept_is_not_tried_again():
    lost = StorageUnavailable("connection lost")
    database = ScriptedDatabase(lost)
    assert Settling(database).run(COMMITS) == [lost] * 4
    assert database.tried == [ROOMS]


def test_two_batches_of_one_room_are_not_tried_together():
    database = ScriptedDatabase()
    twice = [batch(ROOMS[0]), batch(ROOMS[0], 1)]
    assert Settling(database).run(twice) == [True, True]
    assert database.tried == [[ROOMS[0]], [ROOMS[0]]]


def test_a_storage_that_goes_away_is_not_asked_for_each():
    lost = StorageUnavailable("connection lost")
    database = ScriptedDatabase(lost)
    answers = Settling(database).run([COMMITS[0], COMMITS[1], COMMITS[2], COMMITS[2]])
    assert answers == [True, lost, lost, lost]
    assert database.tried == [[ROOMS[0]], [ROOMS[1]]]


def test_reads_are_one_question_and_states_are_fetched_for_those_who_load():
    database = ScriptedDatabase()
    found, absent, right, wrong = Settling(database).run(
        [
            Load(ROOMS[0]),
            Confirm(ROOMS[1], Revision(0, 0)),
            Confirm(ROOMS[0], Revision(7, 0)),
            Confirm(ROOMS[0], Revision(6, 0)),
        ]
    )
    assert (found.version, absent, right, wrong) == (7, True, True, False)
    assert database.wanted == [{ROOMS[0]: True, ROOMS[1]: False}]


def test_a_round_may_hold_everything():
    database = ScriptedDatabase()
    due = DueRooms(("leet99",), 9.0, 2)
    asked = [Prune(9.0, 5, 60), Load(ROOMS[0]), COMMITS[0], due, COMMITS[1]]
    pruned, found, *kept = Settling(database).run(asked)
    assert (pruned, found.version, kept) == (True, 7, [True, ROOMS[:2], True])
    assert database.tried == [ROOMS[:2], "prune at 9.0: 5 rooms, 60 entries"]


def test_a_question_that_fails_harms_nobody_else():
    lost = StorageUnavailable("connection lost")
    asked = [DueRooms(("leet99",), 9.0, 2), Confirm(ROOMS[0], Revision(7, 0)), COMMITS[0]]
    assert Settling(ScriptedDatabase(lost)).run(asked) == [lost, True, True]
