"""leet99, as its clients see it."""

import pytest
from msgspec import Struct

from contracts import jsonio
from contracts.errors import Code
from realtime.core.commands import Receive
from realtime.core.messages import message
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.parties.leet99 import Leet99
from realtime.parties.leet99_match import Participant
from realtime.testing import RoomOnTrial, opened


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
    before = room.stored
    room.disconnect("bob")
    room.connect("bob")
    assert room.kinds == ["ROOM_SNAPSHOT"]
    assert room.stored == before


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
    assert len(room.stored["state"]["talk"]["chat"]) == 100


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
    assert room.sent_away == {"p_bob": 1000}
    assert [kind for kind, _ in room.broadcasts] == ["PLAYER_UPDATE"]
    assert room.refreshes
    assert room.names == ["alice"]


def test_who_leaves_a_match_is_eliminated_and_keeps_the_name_until_it_is_over(room):
    room.receive("alice", "START_MATCH")
    room.receive("bob", "LEAVE_ROOM")
    assert room.sent_away == {"p_bob": 1000}
    assert room.broadcasts[0][1]["player"]["status"] == "eliminated"
    assert room.names == ["alice", "bob"]
    assert room.connect("bob").code == Code.UNAUTHORIZED
    too_late = Receive("p_bob", "SEND_CHAT", jsonio.raw({"text": "hi"}))
    assert room.run(too_late).code == Code.UNAUTHORIZED
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


def test_settings_are_patched_by_the_host_before_the_match(room):
    assert room.receive("bob", "UPDATE_SETTINGS", {"patch": {}}).code == Code.FORBIDDEN
    patch = {"matchDurationSec": 30, "unknown": 1}
    assert room.receive("alice", "UPDATE_SETTINGS", {"patch": patch}).ok
    ((kind, payload),) = room.broadcasts
    assert kind == "SETTINGS_UPDATE"
    assert payload["settings"]["matchDurationSec"] == 30
    assert payload["settings"]["playerCap"] == 99
    assert "unknown" not in payload["settings"]
    room.receive("alice", "START_MATCH")
    assert room.receive("alice", "UPDATE_SETTINGS", {"patch": patch}).code == Code.FORBIDDEN


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"matchDurationSec": 2}, "payload.patch.matchDurationSec"),
        ({"matchDurationSec": "30"}, "payload.patch.matchDurationSec"),
        ({"playerCap": True}, "payload.patch.playerCap"),
        ({"playerCap": None}, "payload.patch.playerCap"),
        ({"playerCap": 1}, "payload.patch.playerCap"),
        ({"attackIntensity": "medium"}, "payload.patch.attackIntensity"),
        ([], "payload.patch"),
    ],
)
def test_a_bad_patch_changes_nothing_and_is_named(room, patch, path):
    before = room.snapshot
    outcome = room.receive("alice", "UPDATE_SETTINGS", {"patch": patch})
    assert outcome.code == Code.BAD_REQUEST
    assert outcome.turn.error.message == "Invalid UPDATE_SETTINGS payload"
    assert [detail.path for detail in outcome.turn.error.details] == [path]
    assert room.snapshot == before


def test_a_lower_cap_holds_for_the_next_player(room):
    assert room.receive("alice", "UPDATE_SETTINGS", {"patch": {"playerCap": 2}}).ok
    assert room.register("carl").code == Code.ROOM_FULL
    assert room.register("carl", role="spectator").ok


def test_bots_take_names_but_no_seats():
    room = opened(Leet99, ["alice", "bot 2"], playerCap=2)
    assert room.receive("bot 2", "ADD_BOTS", {"count": 1}).code == Code.FORBIDDEN
    for count in (0, 11, "1", None):
        assert room.receive("alice", "ADD_BOTS", {"count": count}).code == Code.BAD_REQUEST
    assert room.receive("alice", "ADD_BOTS", {"count": 2}).ok
    assert [kind for kind, _ in room.broadcasts] == ["PLAYER_UPDATE", "PLAYER_UPDATE"]
    assert room.refreshes
    assert room.names == ["alice", "bot 2", "Bot 1", "Bot 3"]
    bot = room.broadcasts[0][1]["player"]
    assert (bot["role"], bot["status"], bot["isHost"]) == ("bot", "lobby", False)
    assert room.receive("alice", "KICK", {"playerId": bot["playerId"]}).ok
    assert room.receive("alice", "ADD_BOTS", {"count": 1}).ok
    assert room.names == ["alice", "bot 2", "Bot 3", "Bot 4"]
    assert room.inspect().reply["playerCounts"] == {"players": 2, "spectators": 0, "bots": 2}
    assert room.register("bot 4", role="spectator").code == Code.USERNAME_TAKEN


def test_a_room_holds_so_many_bots_and_no_more(room):
    for _ in range(9):
        assert room.receive("alice", "ADD_BOTS", {"count": 10}).ok
    assert room.receive("alice", "ADD_BOTS", {"count": 10}).code == Code.BAD_REQUEST
    assert room.receive("alice", "ADD_BOTS", {"count": 9}).ok


def test_a_host_and_a_bot_are_enough_for_a_match():
    room = opened(Leet99)
    room.receive("alice", "ADD_BOTS", {"count": 1})
    assert room.receive("alice", "START_MATCH").ok


def test_a_match_goes_through_its_phases_by_the_clock(room):
    room.receive("alice", "UPDATE_SETTINGS", {"patch": {"matchDurationSec": 100}})
    room.receive("alice", "START_MATCH")
    match_id = room.broadcasts[0][1]["match"]["matchId"]
    room.advance(9.9)
    assert room.broadcasts == []
    room.advance(0.1)
    assert room.broadcasts == [("MATCH_PHASE_UPDATE", {"matchId": match_id, "phase": "main"})]
    room.advance(89)
    assert room.broadcasts == []
    room.advance(1)
    assert [kind for kind, _ in room.broadcasts] == ["MATCH_END", "MATCH_PHASE_UPDATE"]
    end = room.broadcasts[0][1]
    assert (end["matchId"], end["endReason"]) == (match_id, "timeExpired")
    assert end["winnerPlayerId"] is None  # two share the first rank
    assert [(one["rank"], one["username"]) for one in end["standings"]] == [
        (1, "alice"),
        (1, "bob"),
    ]
    assert room.broadcasts[1][1] == {"matchId": match_id, "phase": "ended"}
    (match,) = room.commits[-1].matches
    assert (match.match_id, match.ended_at - match.started_at) == (match_id, 100)
    room.advance(3600)
    assert sum(len(commit.matches) for commit in room.commits) == 1


def test_the_clock_of_a_match_runs_on_while_nothing_serves(room):
    room.receive("alice", "START_MATCH")
    room.reload(room.snapshot)
    room.sleep(601)
    room.ring()
    kinds = [kind for kind, _ in room.broadcasts]
    assert kinds == ["MATCH_PHASE_UPDATE", "MATCH_END", "MATCH_PHASE_UPDATE"]


def test_the_last_one_alive_wins(room):
    room.register("carl")
    room.connect("carl")
    room.receive("alice", "START_MATCH")
    room.advance(1)
    room.receive("carl", "LEAVE_ROOM")
    assert [kind for kind, _ in room.broadcasts] == ["PLAYER_UPDATE"]
    room.receive("alice", "KICK", {"playerId": "p_bob"})
    assert room.sent_away == {"p_bob": 4010}
    kinds = [kind for kind, _ in room.broadcasts]
    assert kinds == ["PLAYER_UPDATE", "MATCH_END", "MATCH_PHASE_UPDATE"]
    end = room.broadcasts[1][1]
    assert (end["endReason"], end["winnerPlayerId"]) == ("lastAlive", "p_alice")
    ranks = [(one["rank"], one["username"]) for one in end["standings"]]
    assert ranks == [(1, "alice"), (2, "bob"), (2, "carl")]
    room.connect("alice")
    match = room.frames[0][1]["payload"]["match"]
    assert match["endReason"] == "lastAlive"
    assert match["standings"] == end["standings"]
    room.advance(3600)
    assert sum(len(commit.matches) for commit in room.commits) == 1


def test_the_host_leads_back_to_the_lobby_and_a_rematch_can_start(room):
    assert room.receive("alice", "RETURN_TO_LOBBY").code == Code.FORBIDDEN
    room.register("carl")
    room.connect("carl")
    room.receive("alice", "SEND_CHAT", {"text": "gl"})
    room.receive("alice", "START_MATCH")
    first = room.broadcasts[0][1]["match"]["matchId"]
    room.receive("carl", "LEAVE_ROOM")
    room.advance(600)
    assert room.receive("bob", "RETURN_TO_LOBBY").code == Code.FORBIDDEN
    assert room.receive("alice", "RETURN_TO_LOBBY").ok
    assert room.kinds == ["ROOM_SNAPSHOT"]
    seen = dict(room.frames)["p_bob"]["payload"]
    assert seen["match"] == {
        "matchId": None,
        "phase": "lobby",
        "settings": seen["match"]["settings"],
    }
    assert seen["eventLog"] == []
    assert "gl" in [line["text"] for line in seen["chat"]]
    assert {player["status"] for player in seen["players"]} == {"lobby"}
    assert room.names == ["alice", "bob"]
    assert room.register("carl", player_id="p_carl2", token="t_carl2").ok
    assert room.receive("alice", "START_MATCH").ok
    assert room.broadcasts[0][1]["match"]["matchId"] != first


def test_a_kicked_player_may_not_come_back_and_the_name_is_free(room):
    assert room.receive("bob", "KICK", {"playerId": "p_alice"}).code == Code.FORBIDDEN
    assert room.receive("alice", "KICK", {"playerId": "p_alice"}).code == Code.FORBIDDEN
    assert room.receive("alice", "KICK", {"playerId": "p_nobody"}).code == Code.PLAYER_NOT_FOUND
    assert room.receive("alice", "KICK", {"playerId": "p_bob"}).ok
    assert room.sent_away == {"p_bob": 4010}
    assert [kind for kind, _ in room.broadcasts] == ["PLAYER_UPDATE"]
    assert room.refreshes
    assert room.connect("bob").code == Code.UNAUTHORIZED
    assert room.register("bob").code == Code.FORBIDDEN
    assert room.register("bob", player_id="p_other", token="t_other").ok
    assert room.receive("alice", "KICK", {"playerId": "p_bob"}).code == Code.PLAYER_NOT_FOUND


def test_who_leaves_after_the_end_is_released(room):
    room.receive("alice", "START_MATCH")
    room.advance(600)
    room.receive("bob", "LEAVE_ROOM")
    assert room.names == ["alice"]
    room.connect("alice")
    assert len(room.frames[0][1]["payload"]["match"]["standings"]) == 2


class Points(Struct, frozen=True):
    to: str
    score: int
    stack: int


class Scored(Leet99):
    """A match room in which somebody can score."""

    slug = "scored"

    @message("score", Points)
    def score(self, room: Room, player: Player, points: Points) -> None:
        reached = Participant(score=points.score, stack_size=points.stack)
        room.state.match.participants[points.to] = reached


def test_standings_put_the_living_first_then_score_then_the_smaller_stack():
    room = opened(Scored, ["ann", "bob", "cy", "dee", "eve"])
    room.receive("ann", "START_MATCH")
    for name, score, stack in (
        ("ann", 5, 3),
        ("bob", 7, 9),
        ("cy", 7, 2),
        ("dee", 5, 3),
        ("eve", 99, 0),
    ):
        points = {"to": f"p_{name}", "score": score, "stack": stack}
        assert room.receive("ann", "score", points).ok
    room.receive("eve", "LEAVE_ROOM")
    room.reload(room.snapshot)
    room.advance(600)
    end = next(payload for kind, payload in room.broadcasts if kind == "MATCH_END")
    standings = [(one["rank"], one["username"], one["score"]) for one in end["standings"]]
    assert standings == [(1, "cy", 7), (2, "bob", 7), (3, "ann", 5), (3, "dee", 5), (5, "eve", 99)]
    assert end["winnerPlayerId"] == "p_cy"
    kept = room.commits[-1].matches[0].standings
    assert [(one.rank, one.username, one.score) for one in kept] == standings


def test_three_lines_at_once_are_one_too_many_for_half_a_second(room):
    for _ in range(2):
        assert room.receive("alice", "SEND_CHAT", {"text": "hi"}).ok
    room.advance(0.1)
    third = room.receive("alice", "SEND_CHAT", {"text": "hi"})
    assert third.code == Code.RATE_LIMITED
    assert third.turn.error.info.retry_after_ms == 400
    assert room.receive("bob", "SEND_CHAT", {"text": "hi"}).ok
    room.advance(0.4)
    assert room.receive("alice", "SEND_CHAT", {"text": "hi"}).ok


def test_a_clock_that_was_set_back_does_not_silence_anybody(room):
    room.receive("alice", "SEND_CHAT", {"text": "hi"})
    room.receive("alice", "SEND_CHAT", {"text": "hi"})
    room.sleep(-3600)
    assert room.receive("alice", "SEND_CHAT", {"text": "hi"}).ok
