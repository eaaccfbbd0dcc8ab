"""A state as bytes: the same ones, whether or not the roster was seen before."""

from random import Random

import msgspec
import pytest

from contracts import jsonio
from realtime.core.commands import Register
from realtime.core.document import new_document
from realtime.core.encoding import Codec
from realtime.core.projection import changes, seats
from realtime.parties.chat import ChatParty


def asked(name: str) -> Register:
    return Register(f"p_{name}", f"hash of {name}", "print", name)


@pytest.fixture
def codec():
    return Codec(ChatParty)


@pytest.fixture
def document():
    made = new_document(ChatParty(), asked("alice"))
    for name in ("alice", "bob", "carol"):
        made.roster.found(asked(name), 1.5)
    return made


def test_what_is_encoded_twice_is_encoded_alike(codec, document):
    for seq in range(4):
        document.seq = seq
        assert codec.encode(document) == jsonio.encode(document)


def hand_over(roster):
    roster.host = "p_bob"


def arrive(roster):
    roster.arrive(roster.players["p_bob"])


def swap(roster):
    """The same members, in another order."""
    roster.players["p_alice"] = roster.players.pop("p_alice")


def change_tokens(roster):
    known = roster.credentials
    known["p_bob"], known["p_alice"] = known["p_alice"], known["p_bob"]


def leave(roster):
    roster.release(roster.players["p_bob"])


def ban(roster):
    roster.ban(roster.players["p_bob"])


def ban_in_place(roster):
    roster.removed.append("p_bob")


@pytest.mark.parametrize(
    "change", [hand_over, arrive, swap, change_tokens, leave, ban, ban_in_place]
)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_every_change_of_the_roster_is_seen(codec, document, change, times):
    for _ in range(times):
        codec.encode(document)
    change(document.roster)
    assert codec.encode(document) == jsonio.encode(document)
    assert codec.encode(document) == jsonio.encode(document)


def test_a_roster_read_back_is_the_one_known(codec, document):
    codec.encode(document)
    known = codec.seats
    again = codec.decode(codec.encode(document))
    assert codec.seats is known
    assert again == document
    assert again.roster.players["p_bob"] is document.roster.players["p_bob"]


def test_what_is_read_back_may_be_changed(codec, document):
    encoded = codec.encode(document)
    leave(codec.decode(encoded).roster)
    assert codec.decode(encoded) == document


def test_a_roster_stays_itself_through_any_history(codec, document):
    chance = Random(7)
    kept = codec.encode(document)
    for number in range(500):
        roster = document.roster
        step = chance.choice([hand_over, arrive, swap, ban, leave, None, "refuse"])
        if step == "refuse":
            roster.players.clear()
            document = codec.decode(kept)
        elif callable(step) and {"p_alice", "p_bob"} <= roster.players.keys():
            step(roster)
        elif "p_bob" not in roster.players:
            roster.found(asked("bob"), number)
        kept = codec.encode(document)
        assert kept == jsonio.encode(document)


def test_only_those_who_changed_have_new_rows(document):
    before = seats(document.roster)
    arrive(document.roster)
    leave_carol = document.roster.players["p_carol"]
    document.roster.release(leave_carol)
    document.roster.found(asked("dave"), 2.5)
    changed, rows = changes(before, seats(document.roster))
    assert changed == ("p_carol", "p_bob")  # dave has no row yet
    assert [row.player_id for row in rows] == ["p_bob", "p_dave"]


def test_a_new_host_changes_two_rows(document):
    before = seats(document.roster)
    hand_over(document.roster)
    changed, rows = changes(before, seats(document.roster))
    assert changed == ("p_bob", "p_carol")
    assert [row.is_host for row in rows] == [True, False]


def test_equal_members_have_no_new_rows(codec, document):
    before = seats(document.roster)
    again = msgspec.json.decode(jsonio.encode(document.roster), type=type(document.roster))
    assert changes(before, seats(again)) == ((), ())
