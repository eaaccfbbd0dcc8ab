"""A round: what is tried together, and what is tried again alone."""

import pytest

from realtime.core.rows import Snapshot
from realtime.engine.settling import Confirm, Due, Load, Prune, Settling
from realtime.engine.store import Busy, Rejected, StorageUnavailable
from tests.support.stores import batch, room

ROOMS = [room(f"ROOM{number}") for number in range(4)]
COMMITS = [batch(key) for key in ROOMS]


class ScriptedDatabase:
    """Fails every transaction that holds a certain room, and remembers what was tried."""

    def __init__(self, failure=None, *, about=ROOMS[1]):
        self.failure = failure
        self.about = about
        self.tried = []
        self.wanted = []

    def keep(self, commits):
        keys = [commit.key for commit in commits]
        self.tried.append(keys)
        if self.failure and self.about in keys:
            raise self.failure
        return [True] * len(commits)

    def find(self, keys):
        self.wanted.append(keys)
        return {key: Snapshot(COMMITS[0].uuid, 7, b"") for key in keys if key == ROOMS[0]}

    def due(self, parties, now, limit):
        if self.failure:
            raise self.failure
        return [key for key in ROOMS if key.party in parties][:limit]

    def prune(self, now, limit):
        self.tried.append(f"prune at {now}")
        return limit

    def interrupt(self): ...

    def close(self): ...


def test_a_round_is_one_transaction():
    database = ScriptedDatabase()
    assert Settling(database).run(COMMITS) == [True] * 4
    assert database.tried == [ROOMS]


@pytest.mark.parametrize("failure", [Rejected("constraint"), Busy("deadlock"), ValueError("bug")])
def test_after_a_rollback_each_is_tried_alone(failure):
    database = ScriptedDatabase(failure)
    assert Settling(database).run(COMMITS) == [True, failure, True, True]
    assert database.tried == [ROOMS, *([key] for key in ROOMS)]


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
        [Load(ROOMS[0]), Confirm(ROOMS[1], 0), Confirm(ROOMS[0], 7), Confirm(ROOMS[0], 6)]
    )
    assert (found.version, absent, right, wrong) == (7, True, True, False)
    assert database.wanted == [{ROOMS[0]: True, ROOMS[1]: False}]


def test_a_round_may_hold_everything():
    database = ScriptedDatabase()
    asked = [Prune(9.0, 5), Load(ROOMS[0]), COMMITS[0], Due(("leet99",), 9.0, 2), COMMITS[1]]
    pruned, found, *kept = Settling(database).run(asked)
    assert (pruned, found.version, kept) == (5, 7, [True, ROOMS[:2], True])
    assert database.tried == [ROOMS[:2], "prune at 9.0"]


def test_a_question_that_fails_harms_nobody_else():
    lost = StorageUnavailable("connection lost")
    asked = [Due(("leet99",), 9.0, 2), Confirm(ROOMS[0], 7), COMMITS[0]]
    assert Settling(ScriptedDatabase(lost)).run(asked) == [lost, True, True]
