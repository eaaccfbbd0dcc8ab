"""leet99, as its clients see it."""

import pytest

from contracts.errors import Code
from realtime.parties.leet99 import Leet99
from tests.support.rooms import RoomOnTrial, opened


@pytest.fixture
def room():
    return opened(Leet99(), ("alice", "bob"))


def test_the_first_look_at_the_room(room):
    room.register("carl")
    room.connect("carl")
    to, frame = room.frames[0]
    payload = frame["payload"]
    assert (to, frame["type"]) == ("asker", "ROOM_SNAPSHOT")
    assert "seq" not in frame
    assert payload["me"] == {
        "playerId": "p_carl",
        "username": "carl",
        "role": "player",
        "isHost": False,
        "status": "lobby",
    }
    assert [player["username"] for player in payload["players"]] == ["alice", "bob", "carl"]
    assert payload["players"][0] == {
        "playerId": "p_alice",
        "username": "alice",
        "role": "player",
        "status": "lobby",
        "isHost": True,
        "score": 0,
        "streak": 0,
        "targetingMode": "random",
        "stackSize": 0,
        "activeDebuff": None,
        "activeBuff": None,
    }
    assert payload["match"]["matchId"] is None
    assert payload["match"]["phase"] == "lobby"
    assert payload["roomId"] == "K7PQ2M"
    assert payload["serverTime"].endswith("Z")
    assert payload["eventLog"] == []


def test_the_first_arrival_is_told_after_a_snapshot_that_does_not_hold_it(room):
    room.register("carl")
    assert [kind for kind, _ in room.broadcasts] == ["PLAYER_UPDATE"]
    assert room.refreshes
    room.connect("carl")
    assert room.kinds == ["ROOM_SNAPSHOT", "CHAT_APPEND", "PLAYER_UPDATE"]
    chat = [line["text"] for line in room.frames[0][1]["payload"]["chat"]]
    assert "carl joined the room" not in chat
    message = room.broadcasts[0][1]["message"]
    assert (message["kind"], message["text"]) == ("system", "carl joined the room")


def test_a_reconnect_sees_the_room_and_disturbs_nobody(room):
    before = room.snapshot
    room.disconnect("bob")
    room.connect("bob")
    assert room.kinds == ["ROOM_SNAPSHOT"]
    assert room.snapshot == before


def test_chat_goes_to_everybody_and_stays(room):
    assert room.receive("alice", "SEND_CHAT", {"text": "  hello  "}).ok
    ((kind, payload),) = room.broadcasts
    assert kind == "CHAT_APPEND"
    line = payload["message"]
    assert (line["text"], line["fromPlayerId"], line["fromUsername"]) == (
        "hello",
        "p_alice",
        "alice",
    )
    room.connect("bob")
    assert line in room.frames[0][1]["payload"]["chat"]


@pytest.mark.parametrize("text", ["", "   ", "x" * 201, "a\0b"])
def test_chat_holds_1_to_200_characters(room, text):
    assert room.receive("alice", "SEND_CHAT", {"text": text}).code == Code.BAD_REQUEST


def test_the_third_line_within_half_a_second_waits(room):
    for text in ("one", "two"):
        assert room.receive("alice", "SEND_CHAT", {"text": text}).ok
        room.advance(0.1)
    refused = room.receive("alice", "SEND_CHAT", {"text": "three"})
    assert refused.code == Code.RATE_LIMITED
    assert refused.turn.error.info.retry_after_ms == 300
    assert room.receive("bob", "SEND_CHAT", {"text": "other"}).ok
    room.advance(0.3)
    assert room.receive("alice", "SEND_CHAT", {"text": "three"}).ok


def test_the_last_hundred_lines_are_kept_and_ids_never_return(room):
    seen = set()
    for number in range(150):
        room.advance(1)
        room.receive("alice", "SEND_CHAT", {"text": f"line {number}"})
        seen.add(room.broadcasts[0][1]["message"]["id"])
    assert len(seen) == 150
    assert len(room.state["state"]["chat"]) == 100


def test_a_start_is_the_hosts_and_takes_two(room):
    alone = opened(Leet99())
    assert alone.receive("alice", "START_MATCH").code == Code.BAD_REQUEST
    assert room.receive("bob", "START_MATCH").code == Code.FORBIDDEN
    assert room.receive("alice", "START_MATCH").ok
    assert room.receive("alice", "START_MATCH").code == Code.FORBIDDEN


def test_what_a_start_tells_and_in_which_order(room):
    room.receive("alice", "START_MATCH")
    assert room.kinds == ["MATCH_STARTED", "ROOM_SNAPSHOT", "CHAT_APPEND", "EVENT_LOG_APPEND"]
    match = room.broadcasts[0][1]["match"]
    assert match["phase"] == "warmup"
    assert match["matchId"]
    snapshots = {to: frame for to, frame in room.frames if frame["type"] == "ROOM_SNAPSHOT"}
    assert set(snapshots) == {"p_alice", "p_bob"}
    assert snapshots["p_alice"]["payload"]["me"]["isHost"]
    assert snapshots["p_alice"]["seq"] == snapshots["p_bob"]["seq"]
    assert room.receive("alice", "SEND_CHAT", {"text": "too late"}).code == Code.FORBIDDEN


def test_a_short_match_has_no_warmup():
    room = opened(Leet99(), ("alice", "bob"), matchDurationSec=9)
    room.receive("alice", "START_MATCH")
    assert room.broadcasts[0][1]["match"]["phase"] == "main"


def test_leaving_closes_the_sockets_and_is_told(room):
    room.receive("bob", "LEAVE_ROOM")
    assert room.closed == {"p_bob": 1000}
    assert [kind for kind, _ in room.broadcasts] == ["PLAYER_UPDATE"]
    assert room.refreshes
    assert room.names == ["alice"]


def test_who_leaves_a_match_is_eliminated_and_keeps_the_name_until_it_is_over(room):
    room.receive("alice", "START_MATCH")
    room.receive("bob", "LEAVE_ROOM")
    assert room.closed == {"p_bob": 1000}
    assert room.broadcasts[0][1]["player"]["status"] == "eliminated"
    assert room.names == ["alice", "bob"]
    assert room.connect("bob").code == Code.UNAUTHORIZED
    assert room.receive("bob", "SEND_CHAT", {"text": "hi"}).code == Code.UNAUTHORIZED
    taken = room.register("bob", role="spectator", player_id="p9", token="t9")
    assert taken.code == Code.USERNAME_TAKEN
    assert room.register("bob").code == Code.MATCH_ALREADY_STARTED


def test_a_spectator_leaves_a_match_for_good(room):
    room.receive("alice", "START_MATCH")
    room.register("watcher", role="spectator")
    room.connect("watcher")
    room.receive("watcher", "LEAVE_ROOM")
    assert room.names == ["alice", "bob"]


def test_a_host_who_leaves_a_match_hands_over(room):
    room.receive("alice", "START_MATCH")
    room.receive("alice", "LEAVE_ROOM")
    assert room.host == "p_bob"


def test_a_leaving_host_hands_over_to_who_joined_first(room):
    room.register("carl")
    room.connect("carl")
    room.receive("alice", "LEAVE_ROOM")
    assert room.host == "p_bob"
    views = {to: frame["payload"]["me"]["isHost"] for to, frame in room.frames if to != "*"}
    assert views == {"p_bob": True, "p_carl": False}
    assert room.broadcasts[-1][1]["message"]["text"] == "bob is now the host"


def test_a_vacant_host_goes_to_the_first_player_who_comes():
    room = RoomOnTrial(Leet99())
    room.register("alice", host=True)
    room.register("watcher", role="spectator")
    room.connect("alice")
    room.receive("alice", "LEAVE_ROOM")
    room.disconnect("alice")
    room.connect("watcher")
    assert room.host is None
    room.register("bob")
    room.connect("bob")
    assert room.host == "p_bob"
    assert room.frames[0][1]["payload"]["me"]["isHost"]
