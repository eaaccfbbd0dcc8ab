"""Turns: kept whole or dropped whole."""

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from contracts.errors import Code, RoomError
from realtime.core.commands import Receive
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.presence import Sight
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.parties.chat import ChatParty
from realtime.testing import RoomOnTrial, opened


class Count(Struct):
    """The payload of the counting messages."""

    by: int = 1


class CounterState(Struct):
    """One number, and the seats it was drawn for."""

    value: int = 0
    drawn: list[int] = []


class CounterParty(Party):
    """Counts, and misbehaves on request."""

    slug = "counter"
    State = CounterState

    @message("add", Count)
    def add(self, room: Room, player: Player, count: Count) -> None:
        room.state.value += count.by

    @message("add and refuse", Count)
    def refuse(self, room: Room, player: Player, count: Count) -> None:
        room.state.value += count.by
        room.roster.release(player)
        room.broadcast("added", {})
        raise RoomError(Code.FORBIDDEN)

    @message("add and break", Count)
    def break_down(self, room: Room, player: Player, count: Count) -> None:
        room.state.value += count.by
        room.broadcast("added", {})
        raise KeyError(player.player_id)

    @message("return")
    def give_back(self, room: Room, player: Player):
        room.state.value += 1
        return room.state.value

    @message("only tell")
    def tell(self, room: Room, player: Player) -> None:
        room.reply("told", {"value": room.state.value})
        room.send(player, "told", {"value": room.state.value})

    @message("draw")
    def draw(self, room: Room, player: Player) -> None:
        room.state.drawn.append(room.random.randint(1, 1000))

    @message("shout twice")
    def shout(self, room: Room, player: Player) -> None:
        room.broadcast("first", {})
        room.broadcast("second", {})


@pytest.fixture
def room():
    return opened(CounterParty(), ("alice", "bob"))


def test_a_turn_that_changes_something_is_one_version_and_one_journal_entry(room):
    before = room.version
    assert room.receive("alice", "add", {"by": 3}).ok
    assert room.version == before + 1
    assert room.stored["state"]["value"] == 3
    (entry,) = room.commits[-1].journal
    assert (entry.version, entry.command, entry.actor) == (before + 1, "receive", "p_alice")


@pytest.mark.parametrize("kind", ["add and refuse", "add and break", "return"])
def test_a_turn_that_raises_leaves_no_trace(room, kind):
    before = room.snapshot
    outcome = room.receive("alice", kind)
    assert not outcome.ok
    assert room.turn.effects == ()
    assert room.snapshot == before
    room.receive("alice", "add")
    assert room.stored["state"]["value"] == 1
    assert room.names == ["alice", "bob"]
    assert room.stored["seq"] == msgspec.json.decode(before.state)["seq"]


def test_a_bug_is_told_apart_from_a_refusal(room):
    assert room.receive("alice", "add and refuse").bug is None
    outcome = room.receive("alice", "add and break")
    assert outcome.code == Code.INTERNAL_ERROR
    assert isinstance(outcome.bug, KeyError)


def test_a_handler_that_returns_something_is_told_what_to_do_instead(room):
    assert "A handler returns nothing" in str(room.receive("alice", "return").bug)


def test_an_async_handler_is_refused_when_it_is_written():
    wait_message: Any = message("wait")  # types refuse it as well
    with pytest.raises(TypeError, match="write `def`, not `async def`"):

        class Async(Party):
            slug = "async"

            @wait_message
            async def wait(self, room, player):
                """Hooks never wait."""


def test_a_turn_that_only_answers_is_not_kept(room):
    before = room.snapshot
    assert room.receive("alice", "only tell").ok
    assert room.snapshot == before
    assert [to for to, _ in room.frames] == ["asker", "p_alice"]


def test_every_broadcast_has_the_next_seq_across_a_reload(room):
    room.receive("alice", "shout twice")
    first, second = [frame["seq"] for _, frame in room.frames]
    assert second == first + 1
    room.reload(room.snapshot)
    room.receive("alice", "shout twice")
    assert [frame["seq"] for _, frame in room.frames] == [second + 1, second + 2]


def test_several_turns_are_one_commit(room):
    before, commits = room.version, len(room.commits)
    room.turns.begin(room.now, Sight(here=frozenset(room.connected)).correct)
    for _ in range(3):
        room.turns.run(_receive("alice", "add"), seed=1)
    room.turns.run(_receive("alice", "add and refuse"), seed=1)
    draft = room.turns.draft()
    assert (draft.base, draft.version) == (before, before + 3)
    assert [entry.version for entry in draft.journal] == [before + 1, before + 2, before + 3]
    assert msgspec.json.decode(draft.row.state)["state"]["value"] == 3
    assert len(room.commits) == commits


def test_the_journal_holds_what_a_turn_needs_to_run_again(room):
    room.receive("alice", "draw")
    (row,) = room.commits[-1].journal
    entry = msgspec.json.decode(row.entry)
    again = RoomOnTrial(CounterParty())
    again.reload(room.commits[-2].snapshot)
    again.turns.begin(row.at, lambda known: known)
    command = entry["command"]
    again.turns.run(_receive("alice", command["type"]), seed=entry["seed"])
    draft = again.turns.draft()
    assert draft
    assert draft.row.state == room.commits[-1].row.state


def test_the_journal_tells_who_was_connected_only_when_it_must(room):
    def told() -> dict[str, list[str]] | None:
        return msgspec.json.decode(room.commits[-1].journal[-1].entry).get("connected")

    room.receive("alice", "add")
    assert told() is None  # each connect added one
    room.vanish("bob")
    room.receive("alice", "add")
    assert told() == {"": ["p_alice"]}
    room.receive("alice", "add")
    assert told() is None  # the state says so
    room.reload(room.snapshot)
    room.receive("alice", "add")
    assert told() is None


def test_only_rows_of_players_who_changed_are_written(room):
    room.receive("alice", "add")
    assert room.commits[-1].changed == ()
    room.receive("alice", "LEAVE_ROOM")
    commit = room.commits[-1]
    assert set(commit.changed) == {"p_alice", "p_bob"}  # bob is host now
    assert [(seat.player_id, seat.is_host) for seat in commit.seats] == [("p_bob", True)]


def test_no_token_is_in_anything_that_is_kept(room):
    chat = opened(ChatParty(), ("alice", "bob"))
    chat.receive("alice", "chat.say", {"text": "hello"})
    for commit in room.commits + chat.commits:
        kept = repr(commit)
        assert "t_alice" not in kept
        assert "t_bob" not in kept


def test_a_connect_that_breaks_leaves_nobody_connected():
    class Unencodable(CounterParty):
        slug = "unencodable"

        def on_join(self, room, player):
            room.state.value = object()

    room = RoomOnTrial(Unencodable())
    room.register("alice", host=True)
    assert room.connect("alice").bug
    room.turns.run(_receive("alice", "add"), seed=1)
    draft = room.turns.draft()
    assert draft
    entry = msgspec.json.decode(draft.journal[-1].entry)
    assert "p_alice" not in entry.get("connected", [])


def test_unknown_messages_and_bad_payloads_are_refused_with_their_path(room):
    assert room.receive("alice", "fly").code == Code.BAD_REQUEST
    outcome = room.receive("alice", "add", {"by": "5"})
    assert outcome.turn.error.message == "Invalid add payload"
    assert [detail.path for detail in outcome.turn.error.details] == ["payload.by"]


def test_somebody_who_is_no_member_any_more_says_nothing(room):
    room.receive("bob", "LEAVE_ROOM")
    refused = room.run(_receive("bob", "add"))  # it was in the mailbox already
    assert str(refused.error) == "UNAUTHORIZED: You are not a member of this room any more"
    assert room.state.value == 0


def _receive(name, kind):
    return Receive(f"p_{name}", kind, msgspec.Raw(b"{}"))
