"""docs/writing-a-party.md: its code runs, its tests pass, its messages and numbers are ours."""

import re
import sys
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import msgspec
import pytest

import realtime.party
from config.env import VARIABLES
from contracts.limits import PLAYER_CAP_MAX
from realtime.core.alarms import RETRIES_S
from realtime.core.attendance import EMPTY, HOST, ROLL_CALL, SEAT
from realtime.core.encoding import UnreadableState
from realtime.core.surroundings import Surroundings
from realtime.loading import UnusableParty, load_parties
from realtime.party import Code, Party, Player, Relay, Room, RoomError, message
from realtime.testing import RoomOnTrial, opened

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-party.md"
TEXT = PAGE.read_text()
DEFAULTS = {variable.name: variable.default for variable in VARIABLES.values()}


def code() -> str:
    """The page's Python, each line where it stands in the page."""
    parts = re.split(r"(?<=^```python\n)(.*?)(?=^```$)", TEXT, flags=re.DOTALL | re.MULTILINE)
    prose, blocks = parts[::2], [*parts[1::2], ""]
    return "".join(
        "\n" * words.count("\n") + block for words, block in zip(prose, blocks, strict=True)
    )


def guide() -> ModuleType:
    """All the code of the page, as one file."""
    module = ModuleType("clicker")
    sys.modules["clicker"] = module  # where msgspec and GREENROOM_PARTIES look
    exec(compile(code(), PAGE, "exec"), module.__dict__)
    return module


GUIDE = guide()
TESTS = [name for name in vars(GUIDE) if name.startswith("test_")]


@pytest.mark.parametrize("name", TESTS)
def test_the_guides_tests(name):
    getattr(GUIDE, name)()


def test_no_test_of_the_guide_is_left_out():
    assert len(TESTS) == TEXT.count("\ndef test_")


def test_the_first_party_comes_first_and_is_short():
    block = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)[0]
    assert block[0] == "python"
    assert len(block[1].split("class Clicker")[1].splitlines()) <= 10


def test_a_party_needs_no_other_import():
    imports = re.findall(r"^(?:from|import) (\S+)", code(), re.MULTILINE)
    assert set(imports) == {"typing", "msgspec", "realtime.party", "realtime.testing"}


def named(section: str, pattern: str = r"(?:\w+\.)?(\w+)") -> list[str]:
    """What the first column of a section's tables names, in order of the alphabet."""
    part = re.split(r"\n###? ", TEXT.split(f"# {section}\n")[1])[0]
    cells = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    return sorted(name for cell in cells for name in re.findall(f"`{pattern}", cell))


def test_the_one_import_is_listed_whole():
    assert named("The one import") == sorted(realtime.party.__all__)


@pytest.mark.parametrize(
    ("heading", "cls"), [("Room", Room), ("Party", Party), ("Player", Player), ("Relay", Relay)]
)
def test_the_reference_names_everything_public(heading, cls):
    public = {name for name in (*dir(cls), *cls.__annotations__) if not name.startswith("_")}
    assert named(heading) == sorted(public)


def test_the_harness_is_listed_whole():
    assert named("Testing", r"room\.(\w+)") == [
        name for name in dir(RoomOnTrial) if not name.startswith("_")
    ]


@pytest.mark.parametrize(
    "name",
    ["HOST_LEFT_GRACE_S", "HOST_LOST_GRACE_S", "SEAT_GRACE_S", "EMPTY_ROOM_S", "CLOSED_ROOM_S"],
)
def test_the_graces_are_those_of_the_settings(name):
    (line,) = [line for line in TEXT.splitlines() if f"`{name}`" in line]
    assert f"{DEFAULTS[name]} s" in line


def test_the_other_numbers_are_those_of_the_code():
    *most, last = RETRIES_S
    assert f"after {', '.join(map(str, most))} and {last}\n  seconds" in TEXT
    assert f"is how many players may be in the room, {PLAYER_CAP_MAX} unless" in TEXT
    assert f"`volatile_per_s`, {Party.volatile_per_s:.0f} unless" in TEXT
    assert (
        f"The names `{HOST}`, `{EMPTY}`, `{ROLL_CALL}` and those that begin with `{SEAT}`" in TEXT
    )


# -- mistakes: every message is the one that the running code gives --------------------------


def said(problem: object) -> bool:
    """Whether the page quotes this message whole."""
    return f"`{problem}`" in TEXT or f"`` {problem} ``" in TEXT or f"``{problem} ``" in TEXT


class Total(msgspec.Struct):
    total: int


class Heard(msgspec.Struct):
    by: set[str] = set()


def unclosed(self, room, player): ...
def with_payload(self, room, player, nothing): ...
async def waits(self, room, player): ...


def clicker(**members):
    """The page's Clicker with other members."""
    for name, member in members.items():
        member.__qualname__ = f"Clicker.{name}"
        member.__name__ = name
    return type("Clicker", (GUIDE.Clicker,), members)


def handler(deed):
    """A handler of CLICK that does this."""

    def click(self, room, player):
        return deed(room)

    click.__qualname__ = "Clicker.click"
    return message("CLICK")(click)


def no_parentheses():
    bare: Any = message
    bare(unclosed)


def join_room():
    message("JOIN_ROOM")(unclosed)


def a_payload_without_a_model():
    with_payload.__name__, with_payload.__qualname__ = "click", "Clicker.click"
    message("CLICK")(with_payload)


def two_handlers():
    clicker(click=handler(id), press=handler(id))


def an_async_hook():
    clicker(on_join=waits)


@pytest.mark.parametrize(
    "declare",
    [no_parentheses, join_room, a_payload_without_a_model, two_handlers, an_async_hook],
)
def test_a_party_that_can_not_be_declared(declare):
    with pytest.raises(TypeError) as refusal:
        declare()
    assert said(refusal.value), str(refusal.value)


@pytest.mark.parametrize(
    "paths",
    [
        ["clicker.Clicker", "clicker.Clicker"],
        ["clicker.Clicky"],
        ["klicker.Clicker"],
        ["clicker.Clicks"],
    ],
)
def test_a_party_that_can_not_be_loaded(paths):
    with pytest.raises(UnusableParty) as refusal:
        load_parties(paths)
    assert said(refusal.value), str(refusal.value)


@pytest.mark.parametrize("members", [{"slug": "Clicker!"}, {"State": Total}, {"State": Heard}])
def test_a_party_without_what_it_needs(monkeypatch, members):
    monkeypatch.setattr(GUIDE, "Clicker", type("Clicker", (GUIDE.Clicker,), members))
    with pytest.raises(UnusableParty) as refusal:
        load_parties(["clicker.Clicker"])
    assert said(refusal.value), str(refusal.value)


@pytest.mark.parametrize(
    "deed",
    [
        lambda room: 5,
        lambda room: room.broadcast("CLICKED", object()),
        lambda room: setattr(room.state, "count", "7"),
        lambda room: room.state.total,
        lambda room: setattr(room, "phase", 3),
        lambda room: room.alarm("host", 1),
        lambda room: room.alarm("ring", float("inf")),
    ],
)
def test_a_handler_with_a_bug(deed):
    room = opened(clicker(click=handler(deed)))
    bug = room.receive("alice", "CLICK").bug
    assert said(bug), str(bug)
    assert room.state.count == 0


def test_an_alarm_without_on_alarm():
    room = opened(clicker(click=handler(lambda room: room.alarm("ring", 1))))
    room.receive("alice", "CLICK")
    room.sleep(1)
    (failed, _) = room.ring()
    assert said(failed.turn.bug), str(failed.turn.bug)


@pytest.mark.parametrize("view", [["alice"], {"me": 1}])
def test_a_view_that_can_not_be_shown(view):
    def shown(self, room):
        return view

    with pytest.raises(ValueError, match="INTERNAL_ERROR") as told:
        opened(clicker(view=shown))
    assert said(told.value.__cause__), str(told.value.__cause__)


# -- what the page says in words: once it is otherwise, the page has to change ---------------


def test_in_production_a_wrong_assignment_is_kept_and_can_not_be_read():
    room = opened(clicker(click=handler(lambda room: setattr(room.state, "count", "7"))))
    room._surroundings = Surroundings(Random, verify=False)
    room.reload(room.snapshot)
    assert room.receive("alice", "CLICK").ok
    with pytest.raises(UnreadableState):
        room.restart()


def test_the_leaver_is_not_present_in_on_leave():
    def on_leave(self, room, player):
        room.broadcast("LEFT", [one.username for one in room.present])

    room = opened(clicker(on_leave=on_leave), ["alice", "bob"])
    room.receive("alice", "LEAVE_ROOM")
    assert room.broadcasts[0] == ("LEFT", ["bob"])


def test_a_hook_may_refuse():
    def on_register(self, room, player):
        raise RoomError(Code.FORBIDDEN)

    room = opened(clicker(on_register=on_register))
    assert room.register("bob").code == Code.FORBIDDEN
    assert room.names == ["alice"]


def test_a_room_of_an_older_version_still_loads():
    before: Any = GUIDE.Clicks

    class Named(before):
        by_name: dict[str, int] = {}

    old = opened(GUIDE.Clicker)
    old.receive("alice", "CLICK")
    new = opened(type("Clicker", (GUIDE.Clicker,), {"State": Named}))
    new.reload(old.snapshot)
    new.receive("alice", "CLICK")
    assert (new.state.count, new.state.by_name) == (2, {})


def test_the_host_and_a_seat_of_who_is_away_go_to_others():
    room = opened(GUIDE.Guess, ["alice", "bob"])
    room.disconnect("alice")
    room.advance(float(DEFAULTS["HOST_LEFT_GRACE_S"]))
    assert room.host == "p_bob"
    room.advance(float(DEFAULTS["SEAT_GRACE_S"]) - float(DEFAULTS["HOST_LEFT_GRACE_S"]))
    assert room.names == ["bob"]


def test_players_register_in_the_first_phase_while_there_is_room():
    room = opened(type("Duel", (GUIDE.Guess,), {"cap": lambda self, settings: 2}), ["alice", "bob"])
    assert room.register("carl").code == Code.ROOM_FULL
    assert room.register("dora", role="spectator").ok
    room.receive("alice", "START")
    assert room.register("emil").code == Code.MATCH_ALREADY_STARTED


def test_an_alarm_that_fails_again_and_again_is_parked():
    room = opened(clicker(click=handler(lambda room: room.alarm("ring", 1))))
    room.receive("alice", "CLICK")
    room.advance(1 + sum(RETRIES_S[:-1]))
    assert room.parked == 0
    room.advance(RETRIES_S[-1])
    assert room.parked == 1
    assert room.receive("alice", "LEAVE_ROOM").ok


@pytest.mark.parametrize(
    ("after_s", "taken"), [(0, True), (10 * 365 * 86400, True), (-1, False), (1e9, False)]
)
def test_an_alarm_is_due_in_0_seconds_to_ten_years(after_s, taken):
    room = opened(clicker(click=handler(lambda room: room.alarm("ring", after_s))))
    assert room.receive("alice", "CLICK").ok == taken
    assert room.due_in("ring") == (after_s if taken else None)


def test_on_register_is_called_for_bots_too():
    def add(room):
        room.add_bot("Bot")

    def on_register(self, room, player):
        room.broadcast("CAME", {"role": player.role})

    room = opened(clicker(on_register=on_register, click=handler(add)))
    assert room.receive("alice", "CLICK").ok
    assert room.broadcasts == [("CAME", {"role": "bot"})]


def test_a_bot_is_named_like_a_player():
    def add(room):
        room.add_bot("")

    room = opened(clicker(click=handler(add)))
    assert room.receive("alice", "CLICK").code == Code.BAD_REQUEST
