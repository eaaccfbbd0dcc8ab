"""The glossary knows the words of the code."""

import re
from pathlib import Path
from typing import get_args

from realtime.core.alarms import RETRIES_S
from realtime.core.commands import Command
from realtime.core.roster import Role

TEXT = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
MEANINGS = dict(re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", TEXT, re.MULTILINE))


def test_no_word_is_explained_twice():
    assert len(MEANINGS) == TEXT.count("\n| **")


def test_every_command_is_named():
    named = MEANINGS["command"].split(": ")[1].rstrip(".").split(", ")
    assert named == [command.__name__ for command in get_args(Command)]


def test_every_role_is_named():
    assert set(re.findall(r"`(\w+)`", MEANINGS["player"])) == set(get_args(Role))


def test_an_alarm_fails_seven_times_before_it_is_parked():
    assert len(RETRIES_S) + 1 == 7
    assert "seven times" in MEANINGS["parked"]
