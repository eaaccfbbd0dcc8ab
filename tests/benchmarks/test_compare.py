"""Who takes part in `benchmarks/run compare`."""

from typing import Any

import pytest

from benchmarks.compare import FIELD, PEERS, plan, present
from benchmarks.programs import parse
from benchmarks.services import Service

NOBODY: Any = None  # starts nothing
WS, BUN = Service("ws", NOBODY), Service("Bun", NOBODY, lacks="there is no bun")


def test_who_is_missing_is_left_out_and_a_line_says_why(capsys):
    assert present({"ws": WS, "bun": BUN}, ["ws", "bun"]) == {"ws": WS}
    assert capsys.readouterr().out == "left out    Bun: there is no bun\n"


def test_nobody_asks_who_was_not_chosen(capsys):
    assert present({"ws": WS, "bun": BUN}, ["ws"]) == {"ws": WS}
    assert capsys.readouterr().out == ""


def test_contests_and_peers_are_chosen():
    wish = parse(["compare", "--only", "paced,idle", "--peers", "channels-memory"])
    assert list(plan(wish.only, wish.peers)) == ["paced", "idle"]
    assert list(plan(["burst"], wish.peers)["burst"])[-1].name == "Channels, memory"


def test_all_are_chosen_where_nobody_chooses():
    wish = parse(["compare"])
    assert (set(wish.only), set(wish.peers)) == (set(FIELD), set(PEERS))


def test_who_is_unknown_is_not_chosen(capsys):
    with pytest.raises(SystemExit):
        parse(["compare", "--peers", "ws,nobody"])
    assert "nobody is none of ws" in capsys.readouterr().err
