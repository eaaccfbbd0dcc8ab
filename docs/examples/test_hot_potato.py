"""hot-potato, as its players see it."""

import pytest

from docs.examples.hot_potato import HOT_S, HotPotato
from realtime.party import Close, Code
from realtime.testing import opened

NAMES = ("alice", "bob", "carl")


@pytest.fixture
def room():
    return opened(HotPotato, NAMES)


@pytest.fixture
def game(room):
    assert room.receive("alice", "START").ok
    return room


def holder(room):
    """The name of the player who holds the potato."""
    return room.state.holder.removeprefix("p_")


def others(room):
    """The names of the other players who are still in."""
    alive = [player_id.removeprefix("p_") for player_id in room.state.alive]
    return [name for name in alive if name != holder(room)]


def fuse_s(room):
    """Seconds until the potato explodes: the test may look, the players may not."""
    return room.due_in("bang")


def test_the_host_starts_and_somebody_holds_the_potato(room):
    assert room.receive("bob", "START").code == Code.FORBIDDEN
    assert room.receive("alice", "START").ok
    assert room.broadcasts == [("POTATO", {"playerId": f"p_{holder(room)}"})]
    assert room.stored["phase"] == "game"
    assert room.commits[-1].row.status == "in_game"
    assert room.register("dora").code == Code.MATCH_ALREADY_STARTED
    assert room.receive("alice", "START").code == Code.FORBIDDEN


def test_it_takes_two_who_are_here(room):
    room.vanish("bob")
    room.vanish("carl")
    assert room.receive("alice", "START").code == Code.BAD_REQUEST
    assert (room.stored["phase"], room.state.alive) == ("lobby", [])


def test_only_the_holder_passes_and_only_to_somebody_else(game):
    first, (second, third) = holder(game), others(game)
    assert game.receive(second, "PASS", {"to": f"p_{third}"}).code == Code.FORBIDDEN
    for nobody in (f"p_{first}", "p_nobody"):
        assert game.receive(first, "PASS", {"to": nobody}).code == Code.BAD_REQUEST
    explodes_in = fuse_s(game)
    assert game.receive(first, "PASS", {"to": f"p_{second}"}).ok
    assert game.broadcasts == [("POTATO", {"playerId": f"p_{second}"})]
    assert (holder(game), fuse_s(game)) == (second, explodes_in)


def test_the_holder_is_out_when_it_explodes_and_the_last_one_wins(game):
    first = holder(game)
    game.advance(fuse_s(game) - 0.001)
    assert game.broadcasts == []
    game.advance(0.001)
    assert game.broadcasts == [
        ("EXPLODED", {"playerId": f"p_{first}"}),
        ("POTATO", {"playerId": f"p_{holder(game)}"}),
    ]
    (winner,) = others(game)
    game.advance(fuse_s(game))
    assert game.broadcasts[1:] == [("WON", {"username": winner})]
    assert game.stored["phase"] == "lobby"
    assert game.due_in("bang") is None
    assert game.receive("alice", "START").ok


def test_nobody_is_told_when_and_only_the_holder_feels_the_heat(game):
    game.receive(holder(game), "PASS", {"to": f"p_{others(game)[0]}"})
    heats = [to for to, frame in game.frames if frame["type"] == "HEAT"]
    assert heats == [f"p_{holder(game)}"]
    game.advance(fuse_s(game) - HOT_S)
    assert game.view_of(holder(game))["heat"] == "hot"
    for name in others(game):
        assert game.view_of(name)["heat"] is None
        assert "bang" not in str(game.view_of(name))


def test_who_holds_it_and_leaves_leaves_it_to_somebody(game):
    first, remaining, explodes_in = holder(game), others(game), fuse_s(game)
    assert game.receive(first, "LEAVE_ROOM").ok
    assert game.broadcasts[0] == ("GAVE_UP", {"playerId": f"p_{first}"})
    assert holder(game) in remaining
    assert fuse_s(game) == explodes_in
    assert game.receive(holder(game), "LEAVE_ROOM").ok
    assert game.stored["phase"] == "lobby"
    assert game.state.winner in remaining


def test_who_is_removed_leaves_it_to_somebody_too(game):
    first, remaining = holder(game), others(game)
    assert game.remove(first).ok
    assert game.sent_away == {f"p_{first}": Close.REMOVED}
    assert holder(game) in remaining


def test_who_vanishes_with_it_is_out_when_it_explodes(game):
    first = holder(game)
    game.vanish(first)
    game.advance(fuse_s(game))
    assert game.broadcasts[0] == ("EXPLODED", {"playerId": f"p_{first}"})
    assert holder(game) != first


def test_a_game_that_everybody_has_left_alone_ends_by_itself(game):
    for name in NAMES:
        game.vanish(name)
    game.advance(120)
    assert game.stored["phase"] == "lobby"
    assert game.state.winner in NAMES


def test_a_restart_in_the_middle_changes_nothing_but_the_hour(game):
    first = holder(game)
    game.sleep(600)
    game.restart()
    game.ring()
    assert game.broadcasts[0] == ("EXPLODED", {"playerId": f"p_{first}"})
    assert holder(game) != first


def test_a_turn_that_is_run_twice_has_one_outcome(game):
    before, players = game.snapshot, others(game)
    outcomes = []
    for _ in range(2):
        game.reload(before)
        assert game.receive(holder(game), "PASS", {"to": f"p_{players[0]}"}).ok
        outcomes.append((game.frames, game.commits.pop().row.state))
    assert outcomes[0] == outcomes[1]


def test_a_taunt_is_passed_on_and_changes_nothing(game):
    before = game.snapshot
    assert game.receive("bob", "TAUNT", {"face": "grin"}).ok
    assert game.broadcasts == [("TAUNTED", {"playerId": "p_bob", "face": "grin"})]
    assert game.receive("bob", "TAUNT", {"face": "wink"}).code == Code.BAD_REQUEST
    assert game.snapshot == before


def test_settings_have_bounds():
    with pytest.raises(ValueError, match="fuseMaxS: Expected `int` <= 60"):
        opened(HotPotato, fuseMaxS=61)
    room = opened(HotPotato, NAMES, fuseMaxS=3)
    room.receive("alice", "START")
    assert fuse_s(room) == 3
