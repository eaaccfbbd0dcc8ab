"""The tutorial's code does what the tutorial says."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from config.env import VARIABLES
from contracts.errors import Code
from realtime.testing import opened

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.fixture
def room():
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    talk = ModuleType("talk")
    exec(blocks[0], talk.__dict__)
    return opened(talk.TalkParty(), ("alice", "bob"))


def test_a_line_reaches_everybody_and_a_newcomer_sees_it(room):
    assert room.receive("alice", "say", {"text": "hello"}).ok
    ((kind, line),) = room.broadcasts
    assert (kind, line["username"], line["text"]) == ("said", "alice", "hello")
    room.restart()
    room.connect("bob")
    assert room.frames[0][1]["payload"]["lines"] == [line]


def test_an_empty_line_is_refused(room):
    assert room.receive("alice", "say", {"text": " "}).code == Code.BAD_REQUEST


def test_who_does_not_connect_in_the_time_it_names_is_released(room):
    (default,) = [one.default for one in VARIABLES.values() if one.name == "SEAT_GRACE_S"]
    assert f"does not connect within {default} s" in TUTORIAL.read_text()
    grace_s = float(default)
    room.register("carl")
    room.advance(grace_s - 0.1)
    assert "carl" in room.names
    room.advance(0.1)
    assert "carl" not in room.names
    assert room.connect("carl").code == Code.UNAUTHORIZED
