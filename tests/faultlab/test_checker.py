"""The checker itself: what it knows, what it refuses to judge, and that it never cries wolf."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.faultlab.checker import __main__ as program
from tests.faultlab.checker.case import cases
from tests.faultlab.checker.example import ExampleRoom, ExampleRun
from tests.faultlab.checker.history import History
from tests.faultlab.checker.names import name_key
from tests.faultlab.checker.verdict import OF_A_ROOM, OF_THE_RUN, violations

HERE = Path(__file__).parent / "checker"
NAMES = ["Ann", "ANN", "Bob", "ｂｏｂ", "Cat", "Dan", "Eve", "Straße", "STRASSE"]
FATES = st.sampled_from(["answered"] * 6 + ["lost", "never"])


# What it is made of


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.py")), ids=lambda path: path.stem)
def test_it_imports_nothing_of_the_product(path):
    for name in imported(path):
        known = name.split(".")[0] in {*sys.stdlib_module_names, "msgspec"}
        assert known or name.startswith("tests.faultlab.checker"), name


def test_every_invariant_has_a_check():
    assert {*OF_A_ROOM, *OF_THE_RUN, "I18"} == {f"I{number}" for number in range(1, 20)}


@pytest.mark.parametrize(
    ("one", "other"), [("Zoë", "ZOE\u0308"), ("Straße", "STRASSE"), ("ａｎｎ", "Ann"), ("Ⅳ", "iv")]
)
def test_names_that_read_alike_are_the_same(one, other):
    assert name_key(one) == name_key(other)


# The program


def judge(tmp_path, text, *arguments):
    path = tmp_path / "history.jsonl"
    path.write_text(text)
    return program.main([str(path), *arguments])


def small_run():
    run = ExampleRun()
    room = ExampleRoom(run, "K7PQ2M")
    room.enter(room.joined("Ann"))
    room.finish()
    return run


def test_a_good_run_exits_with_0(tmp_path, capsys):
    assert judge(tmp_path, small_run().text()) == 0
    assert "every invariant holds" in capsys.readouterr().out


def test_a_broken_one_exits_with_1_and_says_why(tmp_path, capsys):
    run = small_run()
    for number in range(30):
        run.add("baseline", process="r", what=f"w{number}", before=0, after=1)
    assert judge(tmp_path, run.text()) == 1
    printed = capsys.readouterr().out
    assert "I17 r has 1 w0, and had 0" in printed
    assert "I17 … and 10 more" in printed
    assert "30 violations" in printed


def test_a_secret_is_named_on_the_command_line(tmp_path):
    run = small_run()
    run.add("log", process="r", line="key=hunter2")
    assert judge(tmp_path, run.text()) == 0
    assert judge(tmp_path, run.text(), "--secret", "hunter[0-9]") == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.rsplit("\n", 1)[0],
        lambda text: text[:-9],
        lambda text: text + '\n{"kind": "surprise"}',
        lambda text: text + '\n{"kind": "frame", "conn": "never opened", "t": 1, "type": "X"}',
        lambda text: "",
    ],
    ids=["no end", "cut off", "unknown kind", "unknown conn", "empty"],
)
def test_what_is_no_whole_history_is_not_judged(tmp_path, capsys, spoil):
    assert judge(tmp_path, spoil(small_run().text())) == 2
    assert "no whole history" in capsys.readouterr().err


def test_a_missing_file_is_no_history(tmp_path):
    assert program.main([str(tmp_path / "nothing")]) == 2


# Histories of every legal kind


def act(room, draw, fate):
    """Something that somebody may do now."""
    if not room.version:
        room.join("Ann", fate=fate, key="k1")
        return
    players, host = sorted(room.members), room.roster["host"]
    whose = draw(st.sampled_from(players)) if players else None
    acts = [lambda: room.join(draw(st.sampled_from(NAMES)), fate=fate), room.look, room.poll]
    acts += [lambda: room.join(draw(st.sampled_from(NAMES)), "spectator", fate=fate)]
    if whose:
        acts += [lambda: room.enter(whose), lambda: room.say(whose, f"line {len(room.chat)}")]
    if whose and room.phase == "lobby":
        acts += [lambda: room.leave(whose, fate), lambda: room.start(whose, fate)]
    if host and room.phase == "lobby":
        acts += [lambda: room.set_cap(host, draw(st.integers(2, 6)), fate)]
        others = [player for player in players if player != host]
        acts += [lambda: room.kick(host, others[0])] if others else []
    if host and room.phase == "ended":
        acts += [lambda: room.go_back(host)] * 3
    if room.alarms and room.sockets:
        earliest = min(room.alarms, key=lambda name: room.alarms[name]["at"])
        acts += [lambda: room.ring(earliest)]
    draw(st.sampled_from(acts))()


@st.composite
def runs(draw, faults=True, then=lambda room: None):
    """A run of one room with faults all the time, or without any. `then` comes last."""
    run = ExampleRun(seed=draw(st.integers(0, 1000)))
    room = ExampleRoom(run, "K7PQ2M", cap=draw(st.integers(2, 5)))
    if faults:
        run.add("fault", name="everything", t0=0, t1=None)
    room.run.now += 1
    for _ in range(draw(st.integers(5, 40))):
        act(room, draw, draw(FATES) if faults else "answered")
    then(room)
    room.run.now += 0.5
    room.finish()
    return room


def zed_speaks(room):
    """Two operations that are always there."""
    zed = room.join("Zed", "spectator")
    room.say(zed, "so it ends", force=True)


def found(run):
    return violations(History.read(run.text()))


@given(runs())
@settings(max_examples=50, deadline=None)
def test_a_legal_history_with_lost_answers_is_never_blamed(room):
    assert found(room.run) == []


@given(runs(faults=False))
@settings(max_examples=50, deadline=None)
def test_a_legal_history_without_faults_is_never_blamed(room):
    assert found(room.run) == []


def broken(room):
    return {one.invariant for one in found(room.run)}


@given(runs(faults=False), st.data())
@settings(max_examples=20, deadline=None)
def test_any_entry_that_is_missing_is_missed(room, data):
    entries = [one for one in room.run.records if one["kind"] == "journal"]
    assume(len(entries) > 1)
    room.run.records.remove(data.draw(st.sampled_from(entries[:-1])))
    assert "I6" in broken(room)


@given(runs(faults=False, then=zed_speaks), st.sampled_from(["join", "chat"]))
@settings(max_examples=20, deadline=None)
def test_a_refusal_that_took_effect_is_found_wherever_it_is(room, kind):
    one = [one for one in room.run.records if one["kind"] == "op" and one["op"] == kind][-1]
    one.update(outcome="err", code="RATE_LIMITED", reply=None)
    assert broken(room) == {"I10"}


@given(runs(faults=False), st.data())
@settings(max_examples=20, deadline=None)
def test_any_unexplained_unknown_is_found(room, data):
    ops = [one for one in room.run.records if one["kind"] == "op" and one["player"] is None]
    data.draw(st.sampled_from(ops)).update(outcome="unknown", reply=None, code=None)
    assert "I19" in broken(room)


@given(runs(then=zed_speaks), st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_an_acknowledgement_of_what_never_was_is_found_whenever_it_came(room, when):
    said = [one for one in room.run.records if one["kind"] == "op" and one["op"] == "chat"][-1]
    t0 = said["t0"] * when
    room.run.records.append({**said, "id": 9001, "args": {"text": "x"}, "t0": t0, "t1": t0 + 1})
    assert broken(room) == {"I1"}


# What only hindsight tells


def replay_of(run):
    (case,) = cases(History.read(run.text()))
    return case.replay


def away(*, polled):
    """A player who never came, and whose alarm has rung."""
    run = ExampleRun()
    room = ExampleRoom(run, "K7PQ2M")
    room.enter(room.joined("Ann"))
    bob = room.join("Bob")
    room.ring(f"seat:{bob}")
    if polled:
        room.finish()
    return run, bob


def test_a_row_tells_that_an_absence_has_released_a_player():
    run, bob = away(polled=True)
    assert bob not in replay_of(run).states[4].members


def test_without_a_later_look_nobody_knows():
    run, bob = away(polled=False)
    assert not replay_of(run).states[4].members[bob].sure


def test_what_is_not_known_is_not_held_against_anybody():
    run, bob = away(polled=False)
    record = {"party": "leet99", "room": "K7PQ2M", "t0": run.now + 1, "t1": run.now + 2}
    for outcome in ("opened", "refused"):
        run.add("try", label=f"tk-{bob}", outcome=outcome, player=bob, **record)
    join = {"op": "join", "args": {"username": "bob"}, "outcome": "err", "code": "USERNAME_TAKEN"}
    run.add("op", id=900, **join, **record)
    names = {one.invariant for one in found(run)}
    assert names == {"I7"}  # a history without final rows is no good run, but nothing else is said


def entry(run, version, **command):
    record = {"kind": "journal", "party": "leet99", "room": "K7PQ2M", "version": version}
    command_name = command["command"]
    run.records.append({**record, "command": command_name, "entry": {"command": command}})


def test_the_last_alive_ends_a_match_and_who_left_keeps_the_name():
    run = ExampleRun()
    for version, name in enumerate(("ann", "bob"), 1):
        entry(run, version, command="register", player_id=name, username=name, settings={})
    for version, (player, kind, payload) in enumerate(
        [
            ("ann", "ADD_BOTS", {"count": 1}),
            ("ann", "START_MATCH", {}),
            ("ann", "KICK", {"playerId": "bob"}),
            ("ann", "LEAVE_ROOM", {}),
            ("ann", "RETURN_TO_LOBBY", {}),
        ],
        3,
    ):
        entry(run, version, command="receive", player_id=player, type=kind, payload=payload)
    states = replay_of(run).states
    assert [states[version].phase for version in range(3, 8)] == [
        "lobby", "warmup", "warmup", "ended", "lobby",
    ]  # fmt: skip
    assert states[6].members["bob"].retired
    assert list(states[7].members) == ["bot:Bot 1"]


def test_a_room_of_another_party_is_held_to_what_every_room_promises():
    run = ExampleRun()
    run.add(
        "journal",
        party="canvas",
        room="r1",
        version=2,
        command="receive",
        entry={"command": {"command": "receive", "player_id": "p", "type": "X", "payload": {}}},
    )
    assert {one.invariant for one in found(run)} == {"I6", "I7"}
