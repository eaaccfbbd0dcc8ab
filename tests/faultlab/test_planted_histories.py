"""One good run, and everything that may be wrong with it: each wrong is found, and only that."""

from __future__ import annotations

import copy
import json

import pytest

from tests.faultlab.checker.example import ExampleRoom, ExampleRun
from tests.faultlab.checker.history import History
from tests.faultlab.checker.verdict import violations


class Story:
    """Two rooms: in one a match is played, in the other people talk."""

    def __init__(self):
        self.run = ExampleRun(seed=7)
        self.room, self.other = ExampleRoom(self.run, "K7PQ2M"), ExampleRoom(self.run, "ABCDEF")
        self.played = False
        self._gather()

    def _gather(self):
        room = self.room
        self.ann = room.joined("Ann", key="k1")
        self.bob, self.zoe = room.joined("Bob"), room.joined("Zoë", "spectator")
        self.ann_at, self.bob_at = room.enter(self.ann), room.enter(self.bob)
        room.enter(self.zoe)
        room.poll()
        room.join("ＡＮＮ")
        room.say(self.bob, "hello")
        self.eve = room.joined("Eve")
        room.enter(self.eve)
        room.kick(self.ann, self.eve)
        self.run.now += 1
        room.show_token(self.eve, "refused")
        self.dan = self.other.joined("Dan")
        self.dan_at = self.other.enter(self.dan)
        self.other.say(self.dan, "anybody here?")
        room.poll()

    def play(self):
        """The match, from its start to the lobby after it."""
        self.room.start(self.ann)
        self.room.join("Late")
        self.room.poll()
        self.room.ring("main")
        self.room.ring("end")
        self.room.poll()
        self.room.go_back(self.ann)
        self.room.say(self.ann, "well played")
        self.played = True

    def finish(self):
        """All that is left, and the end."""
        if not self.played:
            self.play()
        self.run.now += 1
        self.room.look()
        self.run.add("fault", name="kill -9 realtime-1", t0=self.run.now + 9, t1=self.run.now + 10)
        for room in (self.room, self.other):
            room.finish()
        self.run.add("baseline", process="realtime-1", what="sockets", before=0, after=0)
        self.run.add("proof", t=self.run.now, **self.room.place, of="frame", ref=3, found=True)
        return self

    def every(self, kind, **fields):
        """The records of one kind with these fields."""
        wanted = {"kind": kind, **fields}.items()
        return [one for one in self.run.records if wanted <= _flat(one).items()]

    def one(self, kind, **fields):
        """The first of them."""
        return self.every(kind, **fields)[0]

    def drop(self, *records):
        """These were never written."""
        self.run.records = [
            one for one in self.run.records if all(one is not gone for gone in records)
        ]

    def also(self, record, **changes):
        """A copy of a record, with changes."""
        again = {**copy.deepcopy(record), **changes}
        self.run.records.append(again)
        return again


def _flat(record):
    return {name: value for name, value in record.items() if not isinstance(value, dict | list)}


@pytest.fixture
def story():
    return Story()


def broken(story, *secrets):
    """The invariants that a finished story breaks."""
    found = violations(History.read(story.run.text()), secrets)
    return sorted({one.invariant for one in found}), found


def only(story, invariant, *secrets):
    """Whether this invariant is broken, and no other."""
    names, found = broken(story, *secrets)
    assert names == [invariant], found
    return True


def test_the_good_run_is_good(story):
    assert broken(story.finish()) == ([], [])


# I1


def forget(story, kept):
    """Drop an entry, as if its turn had never been: what follows moves up."""
    later = [one for one in story.every("journal") if one["room"] == kept["room"]]
    story.drop(kept)
    for one in [*later, *story.every("row", room=kept["room"])]:
        if one["version"] >= kept["version"] and one is not kept:
            one["version"] -= 1


def entry(story, kind, **fields):
    """The journal's first entry of a message of this type, or of a register."""
    for one in story.every("journal", room=story.room.code):
        command = one["entry"]["command"]
        same = fields.items() <= command.items()
        if same and kind in (command.get("type"), command["command"]):
            return one
    raise LookupError(kind)


def test_a_lost_join_is_found(story):
    story.play()
    late = story.room.join("Joy")
    story.finish()
    forget(story, entry(story, "register", player_id=late))
    for row in story.every("row", room="K7PQ2M"):
        if row["state"]["roster"]["players"].pop(late, None):
            row["players"] -= 1
    for seat in story.every("seat", playerId=late):
        story.drop(seat)
    for served in story.every("served", room="K7PQ2M"):
        served["state"]["playerCounts"]["players"] -= 1
    look = story.every("op", op="state")[-1]
    look["reply"]["playerCounts"]["players"] -= 1
    assert only(story, "I1")


def set_back(story, work):
    """Storage loses what `work` does: its entries, its rows, and what comes of them."""
    t0, kept = story.run.now, copy.deepcopy(vars(story.room))
    own = ("run", "sockets")
    result = work()
    vars(story.room).update({name: kept[name] for name in kept if name not in own})
    entries = story.every("journal", room=story.room.code)
    story.drop(*(one for one in entries if one["version"] > story.room.version))
    story.run.step()
    story.run.add("rewind", t0=t0, t1=story.run.now)
    story.run.now += 3
    return result


def test_what_was_lost_when_storage_was_set_back_breaks_no_promise(story):
    """A join and a row of the lost history, and a frame whose seq comes again."""

    def work():
        story.room.say(story.ann, "of the lost history")
        story.room.poll()
        return story.room.join("Joy")

    set_back(story, work)
    for socket in story.room.sockets:
        story.run.add("closed", conn=socket, t=story.run.now, code=1012)
    story.room.sockets.clear()
    story.room.join("Kay")
    assert broken(story.finish()) == ([], [])


def test_without_a_word_of_it_the_same_is_found(story):
    set_back(story, lambda: story.room.join("Joy"))
    story.drop(story.one("rewind"))
    assert "I1" in broken(story.finish())[0]


def test_what_was_acknowledged_after_storage_was_set_back_has_to_be_there(story):
    set_back(story, lambda: story.room.join("Joy"))
    set_back(story, lambda: story.room.join("Kay"))
    story.drop(story.every("rewind")[1])
    assert "I1" in broken(story.finish())[0]


def test_a_socket_is_never_shown_two_histories(story):
    last = story.every("frame", conn=story.bob_at)[-1]
    set_back(story, lambda: story.room.say(story.ann, "of the lost history"))
    story.finish()
    story.also(last, t=story.run.now)
    assert "I12" in broken(story)[0]


def test_a_player_who_vanishes_from_storage_is_found(story):
    story.finish()
    row = story.one("row", room="K7PQ2M", final=True)
    del row["state"]["roster"]["players"][story.zoe]
    row["spectators"] -= 1
    for served in story.every("served", room="K7PQ2M"):
        served["state"]["playerCounts"]["spectators"] -= 1
    assert only(story, "I1")


def test_a_lost_chat_line_is_found(story):
    story.finish()
    forget(story, entry(story, "SEND_CHAT"))
    for row in story.every("row", room="K7PQ2M"):
        row["state"]["state"]["talk"]["chat"] = [
            line for line in row["state"]["state"]["talk"]["chat"] if line["text"] != "hello"
        ]
    assert only(story, "I1")


def test_a_chat_line_that_is_kept_twice_is_found(story):
    room = story.room
    payload = {"text": "hello"}
    room.keep("receive", player_id=story.bob, type="SEND_CHAT", payload=payload)
    room.chat.append({"id": "c0", "kind": "user", "text": "hello", "fromPlayerId": story.bob})
    assert only(story.finish(), "I1")


def test_a_setting_that_did_not_last_is_found(story):
    story.room.set_cap(story.ann, 9)
    story.room.settings["playerCap"] = 4
    assert only(story.finish(), "I1")


@pytest.mark.parametrize("op", ["leave", "kick"])
def test_a_member_who_was_let_go_and_stays_is_found(story, op):
    args = {"playerId": story.bob} if op == "kick" else {}
    who = story.ann if op == "kick" else story.bob
    story.room.ask(op, args, who, dict, "answered")
    assert only(story.finish(), "I1")


def test_two_acknowledgements_of_one_effect_are_one_where_they_overlap(story):
    story.finish()
    first = story.one("op", op="start")
    again = story.also(first, id=9001, t0=first["t0"] + 0.001)
    assert broken(story) == ([], [])
    again.update(t0=first["t1"] + 1, t1=first["t1"] + 2)
    assert only(story, "I1")


# I2, I3, I4


def test_one_player_above_the_cap_is_found(story):
    for name in ("Cat", "Gus"):
        assert story.room.join(name)
    story.room.join("Hal", force=True)
    assert only(story.finish(), "I2")


@pytest.mark.parametrize("name", ["ANN", "ａｎｎ", "Ⓐnn", "ZOE\u0308"])
def test_a_name_that_reads_like_another_is_found(story, name):
    story.room.join(name, force=True)
    assert only(story.finish(), "I3")


def test_a_player_admitted_after_the_start_is_found(story):
    story.room.start(story.ann)
    story.room.join("Late", force=True)
    story.room.ring("main")
    story.room.ring("end")
    story.played = True
    assert only(story.finish(), "I4")


# I5: each refusal, when it was not true


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("ROOM_NOT_FOUND", "Joy"),
        ("USERNAME_TAKEN", "Joy"),
        ("USERNAME_TAKEN", "Eve"),  # it was, and she has been sent away
        ("ROOM_FULL", "Joy"),
        ("MATCH_ALREADY_STARTED", "Joy"),
    ],
)
def test_a_stale_refusal_is_found(story, code, name):
    story.run.now += 1
    story.room.ask("join", {"username": name}, None, lambda: code, "answered")
    story.run.now += 1
    assert only(story.finish(), "I5")


def test_a_room_that_exists_before_anybody_asked_for_it_is_found(story):
    act = lambda: "ROOM_ALREADY_EXISTS"  # noqa: E731
    nowhere = ExampleRoom(story.run, "ZZZZZZ")
    nowhere.ask("create", {"username": "Ann"}, None, act, "answered")
    assert only(story.finish(), "I5")


def test_a_refusal_that_was_true_for_a_moment_is_none(story):
    story.run.now += 1
    for name in ("Cat", "Gus"):
        story.room.join(name)
    story.room.join("Hal")
    story.finish()
    assert story.one("op", code="ROOM_FULL")
    assert broken(story) == ([], [])


# I6, I7


def test_a_gap_in_the_journal_is_found(story):
    story.finish()
    story.drop(entry(story, "connect"))
    assert only(story, "I6")


def test_a_row_behind_its_journal_is_found(story):
    story.finish()
    story.other.keep("presence")
    assert only(story, "I7")


def test_a_process_that_serves_an_older_room_is_found(story):
    story.finish()
    served = story.one("served", room="K7PQ2M", process="realtime-2")
    served["state"]["playerCounts"]["players"] += 1
    assert only(story, "I7")


def test_a_process_that_does_not_know_the_room_is_found(story):
    story.finish()
    story.one("served", room="ABCDEF", process="realtime-2").update(status=404, state=None)
    assert only(story, "I7")


# I8


def test_a_second_host_in_the_seats_is_found(story):
    story.finish()
    story.one("seat", playerId=story.bob)["isHost"] = True
    assert only(story, "I8")


def test_a_second_host_in_a_view_is_found(story):
    story.finish()
    view = [one for one in story.every("frame", type="ROOM_SNAPSHOT") if one["seq"] is None][1]
    view["payload"]["players"][1]["isHost"] = view["payload"]["me"]["isHost"] = True
    assert only(story, "I8")


def test_a_room_that_stays_without_a_host_is_found(story):
    story.play()
    story.room.roster["host"] = None
    for _ in range(30):
        story.room.poll()
        story.run.now += 1
    assert only(story.finish(), "I8")


# I9, I10


def test_unequal_answers_to_one_key_are_found(story):
    story.finish()
    first = story.one("op", op="create", room="K7PQ2M")
    again = story.also(first, id=9001, t0=first["t1"] + 1, t1=first["t1"] + 2)
    assert broken(story) == ([], [])
    again["reply"]["token"] = "tk-other"
    assert only(story, "I9")


def test_two_rooms_for_one_key_are_found(story):
    twin = ExampleRoom(story.run, "TWINSS")
    founder = twin.join("Ann", key="k1")
    story.finish()
    twin.finish()
    text = story.run.text().replace(f'"{founder}"', f'"{story.ann}"')
    assert {one.invariant for one in violations(History.read(text))} == {"I9"}


def test_a_start_that_took_effect_twice_is_found(story):
    story.finish()
    started = entry(story, "START_MATCH")
    for one in [*story.every("journal", room="K7PQ2M"), *story.every("row", room="K7PQ2M")]:
        if one["version"] > started["version"]:
            one["version"] += 1
    story.also(started, version=started["version"] + 1)
    assert only(story, "I9")


@pytest.mark.parametrize("code", ["ROOM_FULL", "RATE_LIMITED"])
def test_a_refused_join_that_took_effect_is_found(story, code):
    if code == "ROOM_FULL":
        for name in ("Cat", "Gus"):
            story.room.join(name)
    else:
        story.room.join("Cat")
    story.finish()
    asked = story.every("op", op="join", outcome="ok")[-1]
    asked.update(outcome="err", code=code, reply=None)
    assert "I10" in broken(story)[0]
    if code == "RATE_LIMITED":
        assert only(story, "I10")


def test_a_refused_chat_line_that_took_effect_is_found(story):
    story.finish()
    story.one("op", op="chat").update(outcome="err", code="RATE_LIMITED", reply=None)
    assert only(story, "I10")


# I11, I13


def test_an_answer_before_its_commit_is_found(story):
    story.finish()
    story.one("proof").update(of="op", ref=1, found=False)
    assert only(story, "I11")


def test_a_broadcast_before_its_commit_is_found_by_a_later_row(story):
    story.room.say(story.ann, "too soon")
    story.run.now += 1
    story.finish()
    told = next(one for one in story.every("frame") if "too soon" in json.dumps(one))
    t = told["t"]
    before = story.every("row", room="K7PQ2M")[1]
    story.also(before, t0=t + 0.001, t1=t + 0.01)
    assert only(story, "I11")


def test_a_read_of_an_older_room_is_found(story):
    story.finish()
    story.every("op", op="state")[-1]["reply"]["playerCounts"]["players"] = 1
    assert only(story, "I13")


def test_a_first_view_of_an_older_room_is_found(story):
    story.run.now += 1
    story.room.enter(story.bob)
    story.finish()
    view = [one for one in story.every("frame", type="ROOM_SNAPSHOT") if one["seq"] is None][-1]
    del view["payload"]["players"][-1]
    assert only(story, "I13")


def test_rows_that_go_back_are_found(story):
    story.run.now += 5
    before = story.one("row", room="ABCDEF") if story.every("row", room="ABCDEF") else None
    assert before is None
    story.other.poll()
    old = story.every("row", room="ABCDEF")[-1]
    story.other.keep("presence")
    story.run.now += 1
    story.other.poll()
    story.run.now += 1
    story.also(old, t0=story.run.now, t1=story.run.now + 0.01)
    story.run.now += 1
    assert only(story.finish(), "I13")


# I12


def test_a_gap_without_a_view_is_found(story):
    story.finish()
    mine = [one for one in story.every("frame", conn=story.dan_at) if one["seq"]]
    assert len(mine) > 1
    mine[-1]["seq"] += 2
    for row in story.every("row", room="ABCDEF"):
        row["seq"] = row["state"]["seq"] = row["seq"] + 2
    assert only(story, "I12")


def test_a_gap_that_a_view_heals_is_none(story):
    story.finish()
    last = story.every("frame", conn=story.dan_at)[-1]
    last["seq"] += 2
    for row in story.every("row", room="ABCDEF"):
        row["seq"] = row["state"]["seq"] = row["seq"] + 2
    view = story.one("frame", conn=story.dan_at, type="ROOM_SNAPSHOT")
    story.also(view, t=last["t"] + 14)
    assert broken(story) == ([], [])
    story.one("run")["sees_every_seq"] = True
    assert only(story, "I12")


def test_a_gap_may_last_as_long_as_what_made_it(story):
    story.finish()
    last = story.every("frame", conn=story.dan_at)[-1]
    last["seq"] += 2
    for row in story.every("row", room="ABCDEF"):
        row["seq"] = row["state"]["seq"] = row["seq"] + 2
    view = story.one("frame", conn=story.dan_at, type="ROOM_SNAPSHOT")
    story.also(view, t=last["t"] + 30)
    assert only(story, "I12")
    story.run.add("fault", name="Redis is away", t0=last["t"] - 1, t1=last["t"] + 20)
    assert broken(story) == ([], [])


def test_a_seq_that_comes_twice_is_found(story):
    story.finish()
    last = story.every("frame", conn=story.bob_at)[-1]
    story.also(last, t=last["t"] + 0.001)
    assert only(story, "I12")


def test_two_frames_of_one_seq_are_found(story):
    story.finish()
    update = story.every("frame", conn=story.bob_at, type="SETTINGS_UPDATE")
    update += story.every("frame", conn=story.bob_at, type="CHAT_APPEND")
    update[0]["payload"] = {"message": {"id": "c0", "kind": "system", "text": "hullo"}}
    assert only(story, "I12")


# I14


def test_a_ghost_token_is_found(story):
    story.room.show_token(story.eve, "opened", player=story.eve)
    assert only(story.finish(), "I14")


def test_a_token_that_is_refused_to_its_player_is_found(story):
    story.room.show_token(story.bob, "refused")
    assert only(story.finish(), "I14")


@pytest.mark.parametrize("whose", ["nobody", "dan", "ann"])
def test_a_token_that_opens_what_is_not_its_own_is_found(story, whose):
    story.room.show_token(getattr(story, whose, "forged"), "opened", player=story.bob)
    assert only(story.finish(), "I14")


# I15


def test_a_frame_of_another_room_is_found(story):
    story.finish()
    said = story.one("frame", conn=story.dan_at, type="CHAT_APPEND")
    story.also(said, conn=story.bob_at)
    assert only(story, "I15")


def test_a_view_of_another_room_is_found(story):
    story.finish()
    view = story.one("frame", conn=story.dan_at, type="ROOM_SNAPSHOT")
    story.also(view, conn=story.bob_at, t=story.run.now)
    assert only(story, "I15")


def test_a_frame_to_a_stranger_is_found(story):
    story.finish()
    story.run.add("open", conn="s0", t=story.run.now, **story.room.place)
    story.run.add("frame", conn="s0", t=story.run.now, type="ERROR", payload={})
    assert broken(story) == ([], [])
    story.run.add("frame", conn="s0", t=story.run.now, type="EVENT_LOG_APPEND", payload={})
    assert only(story, "I15")


# I16


def test_an_alarm_that_takes_effect_twice_is_found(story):
    story.play()
    story.room.keep("alarm", name="main")
    story.room.phase = "main"
    story.finish()
    assert "I16" in broken(story)[0]


def test_an_alarm_that_rings_again_without_a_plan_is_found(story):
    story.play()
    story.room.poll()
    story.room.keep("alarm", name="host")
    assert only(story.finish(), "I16")


@pytest.mark.parametrize("name", ["main", "end"])
def test_an_alarm_before_its_time_is_found(story, name):
    story.finish()
    alarms = story.every("journal", command="alarm", room="K7PQ2M")
    early = next(one for one in alarms if one["entry"]["command"]["name"] == name)
    early["at"] -= 0.5
    assert only(story, "I16")


def test_an_absence_that_counts_too_early_is_found(story):
    gone = story.room.join("Gus")
    story.room.poll()
    story.room.alarms[f"seat:{gone}"]["at"] -= 30
    story.room.ring(f"seat:{gone}")
    assert only(story.finish(), "I16")


def test_an_alarm_that_never_rings_is_found(story):
    story.play()
    story.room.alarms["main"] = {"at": 1_700_000_000 + story.run.now - 20}
    assert only(story.finish(), "I16")


def test_a_match_with_two_rows_is_found(story):
    story.finish()
    story.also(story.one("match"))
    assert only(story, "I16")


def test_a_match_without_a_row_is_found(story):
    story.finish()
    story.drop(story.one("match"))
    assert only(story, "I16")


# I17, I18, I19


def test_what_is_left_behind_is_found(story):
    story.finish()
    story.one("baseline")["after"] = 3
    assert only(story, "I17")


def test_a_token_in_a_page_is_found(story):
    story.run.add("text", what="page", body="value='pt_" + "a" * 43 + "'")
    assert only(story.finish(), "I18")


def test_a_secret_in_a_log_is_found_and_not_repeated(story):
    story.run.add("log", process="realtime-1", t=1.0, line="Bearer hunter2hunter2")
    assert only(story.finish(), "I18", "hunter2[a-z0-9]+")
    assert "hunter2" not in broken(story, "hunter2[a-z0-9]+")[1][0].what


@pytest.mark.parametrize("changes", [{"outcome": "unknown"}, {"outcome": "err", "code": "X"}])
def test_an_unexplained_server_error_is_found(story, changes):
    story.finish()
    asked = story.one("op", op="state")
    asked.update(status=503, reply=None, **changes)
    fault = story.one("fault")
    fault.update(t0=asked["t1"] + 0.9, t1=asked["t1"] + 5)
    assert broken(story) == ([], [])
    fault["t0"] += 1
    assert only(story, "I19")


def test_who_went_away_is_owed_no_answer(story):
    story.finish()
    asked = story.every("op", op="chat", player=story.bob)[0]
    asked.update(outcome="unknown", t1=None, reply=None)
    story.one("fault").update(t0=5000, t1=5001)
    assert only(story, "I19")
    story.run.add("closed", conn=story.bob_at, t=story.run.now, code=1000)
    asked["t0"] = story.run.now - 5
    assert "I19" not in broken(story)[0]


def test_an_unexplained_close_is_found(story):
    story.run.add("closed", conn=story.dan_at, t=story.run.now, code=1011)
    story.other.sockets.clear()
    assert only(story.finish(), "I19")


def test_an_unhandled_exception_is_found_whatever_is_broken(story):
    line = "Traceback (most recent call last):"
    story.finish()
    story.run.add("log", process="realtime-1", t=story.one("fault")["t0"], line=line)
    assert only(story, "I19")
    story.one("fault")["explains"] = ["traceback"]
    assert broken(story) == ([], [])
