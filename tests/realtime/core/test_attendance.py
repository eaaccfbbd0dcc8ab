"""Who is away, and what follows: the host changes, seats are released, empty rooms close."""

from __future__ import annotations

import pytest

from contracts.errors import Code
from contracts.sockets import Close
from realtime.auth import token_hash
from realtime.core.commands import Connect, EndRoom, Presence, Remove
from realtime.core.surroundings import Graces
from realtime.parties.leet99 import Leet99
from realtime.testing import START, RoomOnTrial, opened


@pytest.fixture
def room():
    return opened(Leet99, ["alice", "bob", "carl"])


def is_host_for(room: RoomOnTrial) -> dict[str, bool]:
    """What the last act's views say to each player."""
    return {to: frame["payload"]["me"]["isHost"] for to, frame in room.frames if to != "*"}


def alarms(room: RoomOnTrial) -> set[str]:
    return set(room.stored["alarms"])


def test_a_host_who_comes_back_in_time_stays_host(room):
    room.disconnect("alice")
    room.advance(4.9)
    room.connect("alice")
    room.advance(100)
    assert room.host == "p_alice"


def test_a_host_who_stays_away_is_followed_by_who_joined_first(room):
    room.disconnect("alice")
    room.advance(5)
    assert room.host == "p_bob"
    assert is_host_for(room) == {"p_bob": True, "p_carl": False}
    assert room.broadcasts[-1][1]["message"]["text"] == "bob is now the host"
    room.connect("alice")
    assert room.host == "p_bob"
    assert not room.frames[0][1]["payload"]["me"]["isHost"]


def test_a_host_whose_going_nobody_saw_has_longer(room):
    room.vanish("alice")
    room.receive("bob", "SEND_CHAT", {"text": "where is she?"})
    room.advance(14.9)
    assert room.host == "p_alice"
    room.advance(0.1)
    assert room.host == "p_bob"


def test_a_goodbye_after_the_absence_was_noticed_shortens_the_wait(room):
    room.vanish("alice")
    room.receive("bob", "SEND_CHAT", {"text": "hi"})
    room.run(Presence(left=("p_alice",)))
    room.advance(5)
    assert room.host == "p_bob"


def test_a_goodbye_that_was_seen_late_makes_nothing_longer(room):
    room.disconnect("alice")
    room.advance(4)
    room.run(Presence(left=("p_alice",)))
    room.advance(1)
    assert room.host == "p_bob"


def test_with_nobody_there_the_place_is_vacant_and_the_first_to_return_takes_it(room):
    for name in ("alice", "bob", "carl"):
        room.disconnect(name)
    room.advance(5)
    assert room.host is None
    room.connect("carl")
    assert room.host == "p_carl"
    assert room.broadcasts[0][1]["message"]["text"] == "carl is now the host"
    room.connect("alice")
    assert room.host == "p_carl"


def test_a_spectator_never_becomes_host():
    room = opened(Leet99, ["alice"])
    room.register("watcher", role="spectator")
    room.connect("watcher")
    room.disconnect("alice")
    room.advance(5)
    assert room.host is None
    assert room.refreshes


def test_a_member_who_stays_away_from_the_gathering_is_released(room):
    room.disconnect("bob")
    room.advance(59.9)
    assert "bob" in room.names
    room.advance(0.1)
    assert room.names == ["alice", "carl"]
    assert [kind for kind, _ in room.broadcasts] == ["PLAYER_UPDATE"]
    assert room.refreshes
    assert room.connect("bob").code == Code.UNAUTHORIZED
    assert room.register("bob", player_id="p_new", token="t_new").ok


def test_who_never_connects_is_released_too(room):
    room.register("dora")
    room.advance(60)
    assert "dora" not in room.names
    assert room.register("dora").ok  # the same request again: admitted anew


def test_who_comes_back_keeps_the_seat(room):
    room.disconnect("bob")
    room.advance(50)
    room.connect("bob")
    room.advance(300)
    assert "bob" in room.names


def test_nobody_is_released_during_a_match_and_everybody_absent_after_it(room):
    room.receive("alice", "START_MATCH")
    room.disconnect("bob")
    room.advance(599)
    assert "bob" in room.names
    room.advance(1)
    assert room.receive("alice", "RETURN_TO_LOBBY").ok
    room.advance(60)
    assert room.names == ["alice", "carl"]


def test_seats_may_be_kept_for_ever():
    room = RoomOnTrial(Leet99, graces=Graces(seat_s=0))
    room.register("alice", host=True)
    room.connect("alice")
    room.register("bob")
    room.advance(24 * 3600)
    assert room.names == ["alice", "bob"]


def test_several_sockets_of_one_player_count_once(room):
    version = room.version
    assert room.connect("bob").ok
    assert room.version == version


def test_a_room_left_alone_is_closed_and_keeps_its_code(room):
    for name in ("alice", "bob", "carl"):
        room.disconnect(name)
    room.advance(3599)
    assert room.commits[-1].row.status == "open"
    room.advance(3600)
    row = room.commits[-1].row
    assert (row.status, row.alarm_at) == ("closed", None)
    assert row.expires_at == START + 3600 + 24 * 3600
    assert room.inspect().code == Code.ROOM_NOT_FOUND
    assert room.connect("alice").code == Code.ROOM_NOT_FOUND
    assert room.register("dora").code == Code.ROOM_NOT_FOUND
    assert room.register("dora", host=True).code == Code.ROOM_ALREADY_EXISTS
    assert room.register("alice", host=True).code == Code.ROOM_ALREADY_EXISTS


def test_a_room_that_closes_forgets_what_else_was_due():
    room = RoomOnTrial(Leet99, graces=Graces(host_left_s=5, host_lost_s=5, seat_s=5, empty_s=5))
    room.register("alice", host=True)
    room.sleep(5)
    rung = room.ring()
    assert [one.turn.bug for one in rung] == [None] * len(rung)
    assert room.commits[-1].row.status == "closed"


def test_a_room_with_a_plan_is_not_closed(room):
    room.receive("alice", "START_MATCH")
    for name in ("alice", "bob", "carl"):
        room.disconnect(name)
    assert "empty" not in alarms(room)
    room.advance(600)
    assert room.commits[-1].row.phase == "ended"
    assert "empty" in alarms(room)


def test_an_outage_is_nobodys_absence(room):
    """The process is killed while all are connected, and serves again after a minute."""
    room.advance(30)
    room.connected.clear()
    room.reload(room.snapshot)
    room.sleep(90)
    room.ring()  # the roll call, late
    room.sleep(3)
    for name in ("carl", "bob"):
        room.connect(name)
    room.advance(11)
    room.connect("alice")
    room.advance(300)
    assert room.names == ["alice", "bob", "carl"]
    assert room.host == "p_alice"


def test_an_absence_from_before_an_outage_starts_anew(room):
    room.disconnect("alice")
    room.disconnect("bob")
    room.sleep(70)
    room.ring()
    assert (room.names, room.host) == (["alice", "bob", "carl"], "p_alice")
    room.advance(15)
    assert room.host == "p_carl"
    room.advance(45)
    assert room.names == ["carl"]


def test_a_killed_process_leaves_no_ghosts(room):
    """Nobody comes back: any process's clock finds the roll call, and then the absences."""
    room.connected.clear()
    room.reload(room.snapshot)
    room.advance(60)
    assert {"host", "seat:p_alice", "seat:p_bob", "seat:p_carl", "empty"} == alarms(room)
    room.advance(60)
    assert room.names == []


def test_while_somebody_is_connected_the_roll_is_called_every_minute(room):
    for minute in range(1, 4):
        room.advance(60)
        assert room.commits[-1].journal[-1].command == "alarm"
        assert room.commits[-1].row.alarm_at == room.now + 60, minute
    assert room.effects == []


def test_bots_are_never_away(room):
    room.receive("alice", "ADD_BOTS", {"count": 3})
    assert alarms(room) == {"roll-call"}
    room.advance(3600)
    assert len(room.names) == 6


def test_an_administrator_removes_a_member_for_good(room):
    assert room.run(Remove("p_nobody")).code == Code.PLAYER_NOT_FOUND
    assert room.run(Remove("p_bob")).ok
    assert room.sent_away == {"p_bob": 4010}
    assert room.connect("bob").code == Code.UNAUTHORIZED
    assert room.register("bob").code == Code.FORBIDDEN
    assert room.register("bob", player_id="p_other", token="t_other").ok


def test_an_administrator_closes_a_room(room):
    assert room.run(EndRoom()).ok
    assert room.sent_away == dict.fromkeys(("p_alice", "p_bob", "p_carl"), 4004)
    assert room.run(Connect(token_hash("t_alice"))).code == Code.ROOM_NOT_FOUND
    assert room.run(EndRoom()).code == Code.ROOM_NOT_FOUND
    assert room.commits[-1].row.status == "closed"


def test_a_socket_that_outlived_its_membership_is_closed_at_the_next_turn():
    """The process that has it missed the announcement, and now says that it is there."""
    room = opened(Leet99, ["alice", "bob", "carl"])
    room.receive("bob", "LEAVE_ROOM")
    room.receive("alice", "KICK", {"playerId": "p_carl"})
    room.connected |= {"p_bob", "p_carl"}
    room.receive("alice", "SEND_CHAT", {"text": "alone at last"})
    assert room.sent_away == {"p_bob": Close.NORMAL, "p_carl": Close.REMOVED}
