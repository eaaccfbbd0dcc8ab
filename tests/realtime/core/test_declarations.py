"""A party that is written wrongly is told so, as early as can be and in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from contracts.errors import Code
from contracts.http import Standing
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.testing import opened


class Number(Struct):
    value: int = 0


class Text(Struct, frozen=True):
    text: str


def test_a_message_needs_its_type():
    bare: Any = message
    with pytest.raises(TypeError, match=r'Name the message\'s type: @message\("TYPE"\)'):

        @bare
        def go(self, room, player): ...


def test_join_room_is_nobodys_message():
    with pytest.raises(TypeError, match="JOIN_ROOM is the room's own"):
        message("JOIN_ROOM")


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({}, "def go(self, room, player)"),
        ({"payload": Text}, "def go(self, room, player, payload)"),
        ({"volatile": True}, "def go(self, relay)"),
        ({"payload": Text, "volatile": True}, "def go(self, relay, payload)"),
    ],
)
def test_a_handler_takes_what_it_is_given(options, form):
    def go(self, one, two, three, four): ...

    with pytest.raises(TypeError) as told:
        message("GO", **options)(go)
    assert str(told.value).endswith(f"handles GO: write `{form}`")


def test_a_type_has_one_handler():
    with pytest.raises(TypeError, match="Twice has two handlers for GO"):

        class Twice(Party):
            @message("GO")
            def go(self, room, player): ...

            @message("GO")
            def run(self, room, player): ...


@pytest.mark.parametrize("name", ["on_join", "on_alarm", "view", "helper"])
def test_nothing_of_a_party_is_async(name):
    async def hook(self): ...

    with pytest.raises(TypeError, match=f"Late.{name}: write `def`, not `async def`"):
        type("Late", (Party,), {name: hook})


class Careless(Party):
    """Does, on GO, what its test says."""

    slug = "careless"
    State = Number

    def __init__(self) -> None:
        self.deed: Callable[[Room], object] = lambda room: None

    @message("GO")
    def go(self, room: Room, player: Player) -> None:
        self.deed(room)

    def on_alarm(self, room: Room, name: str) -> None:
        """Nothing."""


def careless(deed):
    room = opened(Careless)
    assert isinstance(room.party, Careless)
    room.party.deed = deed
    return room


FIRST = Standing(1, "p_alice", "alice", "player", 1)


def standing(**changed):
    return msgspec.structs.replace(FIRST, **changed)


def recorded(room, *standings):
    room.record("m_1", room.now, "over", standings)


@pytest.mark.parametrize(
    ("deed", "problem"),
    [
        (lambda room: setattr(room.state, "value", "seven"), "Expected `int`, got `str`"),
        (lambda room: setattr(room, "state", None), "Expected `object`, got `null`"),
        (lambda room: setattr(room, "settings", 5), "Expected `object`, got `int`"),
        (lambda room: setattr(room, "phase", 3), "A phase is a text of 1 to 32 characters, not 3"),
        (lambda room: setattr(room, "phase", "x" * 33), "A phase is a text"),
        (lambda room: room.alarm("tea", math.nan), "can't be due in nan s: 0 to ten years"),
        (lambda room: room.alarm("tea", math.inf), "can't be due in inf s: 0 to ten years"),
        (lambda room: room.alarm("tea", 1e12), "can't be due in"),
        (lambda room: room.alarm("tea", -1), "can't be due in -1 s"),
        (lambda room: room.cancel_alarm("host"), "is the room's own: choose another name"),
        (lambda room: recorded(room, standing(score=1.5)), "Expected `int`, got `float`"),
        (
            lambda room: room.record("m_1", room.now, "over", [FIRST, FIRST]),
            "stands in the standings once",
        ),
        (lambda room: room.record("m_1", 1e300, "over", []), "Expected `float` <= 253402300799.0"),
        (lambda room: recorded(room, standing(score=2**70)), "score"),
        (lambda room: recorded(room, standing(rank=0)), "rank"),
        (
            lambda room: room.record("m_1", room.now, "over", [standing(player_id="p" * 129)]),
            "playerId",
        ),
        (lambda room: recorded(room, standing(username="a\0")), "username"),
        (lambda room: setattr(room, "phase", "ok\0"), "A phase is a text"),
        (lambda room: room.record("m" * 65, room.now, "over", []), "length <= 64"),
        (lambda room: room.record("m_1", room.now, "o\0ver", []), "matching regex"),
        (lambda room: room.alarm("seat:p_alice", 1), "is the room's own: choose another name"),
    ],
)
def test_what_could_not_be_read_again_is_not_kept(deed, problem):
    room = careless(deed)
    before = room.snapshot
    outcome = room.receive("alice", "GO")
    assert problem in str(outcome.bug)
    assert room.snapshot == before
    room.party.deed = lambda room: setattr(room.state, "value", 7)
    assert room.receive("alice", "GO").ok
    assert room.state.value == 7


def test_a_room_that_closes_plans_nothing_any_more():
    def deed(room):
        room.close()
        room.alarm("tea", 1)

    room = careless(deed)
    assert room.receive("alice", "GO").ok
    row = room.commits[-1].row
    assert (row.status, row.alarm_at) == ("closed", None)


def test_what_is_said_in_the_turn_that_closes_is_heard():
    def deed(room):
        room.close()
        room.broadcast("BYE", {})

    room = careless(deed)
    assert room.receive("alice", "GO").ok
    assert [type(effect).__name__ for effect in room.effects] == ["ToAll", "Disconnect"]


def test_a_parked_alarm_is_not_due():
    room = careless(lambda room: room.alarm("tea", 1) if room.due("tea") is None else None)
    room.party.on_alarm = lambda room, name: 1 / 0
    assert room.receive("alice", "GO").ok
    room.advance(200)
    assert room.parked == 1
    rang = []
    room.party.on_alarm = lambda room, name: rang.append(name)
    assert room.receive("alice", "GO").ok
    room.advance(1)
    assert rang == ["tea"]
    assert room.parked == 0


def test_an_overriding_handler_takes_what_it_is_given():
    with pytest.raises(TypeError, match=r"handles GO: write `def go\(self, room, player\)`"):

        class Worse(Careless):
            slug = "worse"

            def go(self, room): ...  # type: ignore[override]  # which is what is refused


@pytest.mark.parametrize("name", ["", "x" * 17, "a\0b", "ALICE"])
def test_a_bot_has_a_name_like_everybody(name):
    room = careless(lambda room: room.add_bot(name))
    before = room.snapshot
    assert room.receive("alice", "GO").code in (Code.BAD_REQUEST, Code.USERNAME_TAKEN)
    assert room.snapshot == before


def test_messages_of_every_base_are_taken():
    class Waving:
        @message("WAVE")
        def wave(self, room, player):
            room.broadcast("WAVED", {})

    class Both(Waving, Careless):
        slug = "waving"

    room = opened(Both)
    assert room.receive("alice", "WAVE").ok
    assert room.receive("alice", "GO").ok


def test_only_who_acts_is_the_actor():
    room = careless(lambda room: None)
    room.register("bob")
    room.remove("bob")
    actors = [(row.command, row.actor) for one in room.commits for row in one.journal]
    assert ("register", "p_bob") in actors
    assert ("remove", "") in actors


def test_a_field_belongs_to_everybody_or_to_one():
    class Both(Party):
        slug = "both"

        def view(self, room):
            return {"score": 1}

        def own_view(self, room, player):
            return {"score": 2}

    with pytest.raises(ValueError, match="INTERNAL_ERROR") as told:
        opened(Both)
    assert str(told.value.__cause__) == "view and own_view both have score"


def test_a_view_is_a_mapping():
    class Listed(Party):
        slug = "listed"

        def view(self, room):
            return [1, 2]

    with pytest.raises(ValueError, match="INTERNAL_ERROR") as told:
        opened(Listed)
    assert str(told.value.__cause__) == "A view is a mapping of fields, not list"


def test_an_overridden_handler_is_the_one_that_is_called():
    class Louder(Careless):
        slug = "louder"

        def go(self, room: Room, player: Player) -> None:
            room.broadcast("loud", {})

    room = opened(Louder)
    assert room.receive("alice", "GO").ok
    assert room.broadcasts == [("loud", {})]


def test_a_match_is_kept_even_when_nothing_else_changes():
    room = careless(lambda room: room.record(room.new_id("m"), room.now - 60, "over", []))
    version = room.version
    assert room.receive("alice", "GO").ok
    (match,) = room.matches
    assert (match.end_reason, match.ended_at - match.started_at) == ("over", 60)
    assert room.version == version + 1


def test_a_shown_player_gives_nothing_away():
    room = careless(lambda room: room.broadcast("players", room.players))
    assert room.receive("alice", "GO").ok
    ((_, players),) = room.broadcasts
    assert [one["username"] for one in players] == ["alice"]
    assert not [key for key in players[0] if "token" in key or "fingerprint" in key]
