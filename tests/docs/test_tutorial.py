"""The tutorial's code does what the tutorial says."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from contracts.errors import Code
from tests.support.rooms import opened

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
    room.reload(room.snapshot)
    room.connect("bob")
    assert room.frames[0][1]["payload"]["lines"] == [line]


def test_an_empty_line_is_refused(room):
    assert room.receive("alice", "say", {"text": " "}).code == Code.BAD_REQUEST
