"""The register rules, in the order that is part of the wire."""

import pytest

from contracts.errors import Code
from realtime.parties.leet99 import Leet99
from realtime.testing import RoomOnTrial, opened


@pytest.fixture
def room():
    return RoomOnTrial(Leet99())


def test_a_room_exists_only_once_a_host_created_it(room):
    assert room.register("bob").code == Code.ROOM_NOT_FOUND
    assert room.inspect().code == Code.ROOM_NOT_FOUND
    assert room.connect("bob").code == Code.ROOM_NOT_FOUND
    assert room.commits == []
    assert room.register("alice", host=True).ok
    assert room.register("bob").ok
    assert room.names == ["alice", "bob"]


def test_the_reply_says_how_the_room_is_now(room):
    room.register("alice", host=True, settings={"playerCap": 5, "unknown": 1})
    assert room.register("watcher", role="spectator").reply == {
        "ok": True,
        "roomId": "K7PQ2M",
        "settings": {
            "matchDurationSec": 600,
            "playerCap": 5,
            "stackLimit": 10,
            "startingQueued": 2,
            "difficultyProfile": "moderate",
            "attackIntensity": "low",
        },
        "matchPhase": "lobby",
        "phase": "lobby",
        "counts": {"players": 1, "spectators": 1},
    }


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"playerCap": 0}, "settings.playerCap"),
        ({"playerCap": 100}, "settings.playerCap"),
        ({"playerCap": True}, "settings.playerCap"),
        ({"playerCap": "5"}, "settings.playerCap"),
        ({"playerCap": None}, "settings.playerCap"),
        ({"difficultyProfile": "godlike"}, "settings.difficultyProfile"),
        ([], "settings"),
    ],
)
def test_a_create_with_bad_settings_leaves_nothing_behind(room, settings, path):
    outcome = room.register("alice", host=True, settings=settings)
    assert outcome.code == Code.BAD_REQUEST
    assert [detail.path for detail in outcome.turn.error.details] == [path]
    assert room.commits == []
    assert room.register("bob").code == Code.ROOM_NOT_FOUND


def test_a_host_who_spectates_is_refused(room):
    assert room.register("alice", host=True, role="spectator").code == Code.BAD_REQUEST
    assert room.commits == []
    room.register("alice", host=True)
    assert room.register("bob", host=True, role="spectator").code == Code.BAD_REQUEST


def test_a_second_host_is_refused_and_changes_nothing():
    room = opened(Leet99())
    before = room.snapshot
    assert room.register("bob", host=True).code == Code.ROOM_ALREADY_EXISTS
    assert room.snapshot == before
    assert room.host == "p_alice"


@pytest.mark.parametrize("name", ["ALICE", "Alice", "\uff41lice", "ali\u0063e"])
def test_a_name_is_taken_over_both_roles(name):
    room = opened(Leet99())
    assert room.register(name, role="spectator", player_id="p9").code == Code.USERNAME_TAKEN
    assert room.register(name, role="player", player_id="p9").code == Code.USERNAME_TAKEN


def test_the_cap_counts_players_only():
    room = opened(Leet99(), playerCap=1)
    assert room.register("bob").code == Code.ROOM_FULL
    assert room.register("bob", role="spectator").ok
    assert room.register("carl").code == Code.ROOM_FULL


def test_spectators_have_a_bound_of_their_own():
    room = RoomOnTrial(Leet99(), max_spectators=1)
    room.register("alice", host=True)
    assert room.register("bob", role="spectator").ok
    assert room.register("carl", role="spectator").code == Code.ROOM_FULL
    assert room.register("carl").ok


def test_players_come_before_the_start_and_spectators_at_any_time():
    room = opened(Leet99(), ("alice", "bob"), playerCap=2)
    assert room.receive("alice", "START_MATCH").ok
    assert room.register("carl").code == Code.MATCH_ALREADY_STARTED
    assert room.register("carl", role="spectator").ok


def test_refusals_have_an_order():
    """A request that is wrong in every way learns the first reason of the wire's list."""
    room = opened(Leet99(), ("alice", "bob"), playerCap=2)
    assert room.register("ALICE", player_id="p9").code == Code.USERNAME_TAKEN  # full as well
    room.receive("alice", "START_MATCH")
    assert room.register("ALICE", player_id="p9").code == Code.MATCH_ALREADY_STARTED
    assert room.register("ALICE", player_id="p9", host=True).code == Code.ROOM_ALREADY_EXISTS
    assert room.register("zoe", player_id="p_bob").code == Code.IDEMPOTENCY_KEY_REUSED


def test_the_same_register_again_gets_the_same_answer_in_any_phase():
    room = opened(Leet99(), ("alice", "bob"), playerCap=2)
    room.receive("alice", "START_MATCH")
    before = room.snapshot
    assert room.register("bob", settings={"playerCap": 2}).reply["phase"] == "warmup"
    assert room.register("alice", host=True, settings={"playerCap": 2}).ok
    assert room.snapshot == before


@pytest.mark.parametrize(
    "change", [{"token": "other"}, {"role": "spectator"}, {"settings": {"playerCap": 7}}]
)
def test_a_known_player_asking_something_else_is_refused(change):
    room = opened(Leet99())
    assert room.register("bob").ok
    assert room.register("bob", **change).code == Code.IDEMPOTENCY_KEY_REUSED


def test_another_players_token_is_refused():
    room = opened(Leet99())
    assert room.register("bob", token="t_alice").code == Code.BAD_REQUEST


def test_a_player_who_left_frees_name_seat_and_id():
    room = opened(Leet99(), ("alice", "bob"), playerCap=2)
    room.receive("bob", "LEAVE_ROOM")
    assert room.connect("bob").code == Code.UNAUTHORIZED
    assert room.register("bob", settings={"playerCap": 2}).ok
    seats = {seat.username: seat.seat_index for seat in room.commits[-1].seats}
    assert seats == {"bob": 1}


def test_a_host_who_registers_into_an_empty_room_does_not_create_it_again():
    room = opened(Leet99())
    room.receive("alice", "LEAVE_ROOM")
    assert room.names == []
    assert room.register("bob", host=True).code == Code.ROOM_ALREADY_EXISTS
    assert room.register("bob").ok
    assert room.host is None  # until somebody is there
    assert room.connect("bob").ok
    assert room.host == "p_bob"
