"""Room types by their paths; what is wrong with one is said in a sentence."""

import pytest

from realtime.loading import UnusableParty, load_parties
from realtime.runtime import PARTIES


def test_the_built_in_parties_have_their_slugs():
    assert set(load_parties(PARTIES)) == {"leet99", "chat"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere.Party", "no module named nowhere"),
        ("realtime.parties.chat.Nobody", "realtime.parties.chat holds no Nobody"),
        ("realtime.parties.chat.ChatState", "make it a subclass of Party"),
        ("realtime.core.party.Party", "needs a slug: 1 to 32 lower-case letters"),
        (PARTIES[0], "both have the slug 'leet99'"),
    ],
)
def test_what_is_no_room_type_is_refused_with_a_sentence(path, why):
    with pytest.raises(UnusableParty, match=why):
        load_parties([*PARTIES, path])


MODULE = """
from msgspec import Struct
from realtime.party import Party

class Game(Party):
    slug = "game"
"""
LATER = "from __future__ import annotations\n"  # a name is looked up when somebody asks for it


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def broken(:\n", r"can't be loaded: SyntaxError: .*\(authored\d+.py, line 1\)"),
        ("1 / 0", r"can't be loaded: ZeroDivisionError: division by zero \(.*, line 1\)"),
        (MODULE + "    async def on_join(self): ...", "TypeError: Game.on_join: write `def`"),
        (MODULE + "    slug = 'No Slug'", "needs a slug"),
        (
            MODULE + "    class State(Struct):\n        total: int",
            "can't make an empty room: give every field of State and Settings a default",
        ),
        (MODULE + "    class State(Struct):\n        a: dict[str, set[int]] = {}", "keep a set"),
        (MODULE + "    class Settings(Struct):\n        total: int", "give every field"),
        (
            LATER + MODULE + "    class State(Struct):\n        total: Nope = 0",
            r"Game's State can't be read: NameError: name 'Nope' is not defined\.",
        ),
        (
            LATER + MODULE + "    class Settings(Struct):\n        total: Nope = 0",
            r"Game's Settings can't be read: NameError: name 'Nope' is not defined\.",
        ),
        (
            MODULE + "    class State(Struct):\n        def __post_init__(self): 1 / 0",
            r"can't make an empty room: ZeroDivisionError: .*\(.*authored\d+.py, line 8\)",
        ),
        (
            MODULE + "    def __init__(self): self.words = open('/nowhere/words')",
            r"can't be made: FileNotFoundError: .*\(.*authored\d+.py, line 7\)\.",
        ),
    ],
)
def test_an_authors_mistake_is_named_with_its_place(tmp_path, monkeypatch, request, source, why):
    name = f"authored{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnusableParty, match=why):
        load_parties([f"{name}.Game"])


def test_a_sound_party_is_loaded(tmp_path, monkeypatch):
    (tmp_path / "sound_game.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    assert load_parties(["sound_game.Game"])["game"].slug == "game"
