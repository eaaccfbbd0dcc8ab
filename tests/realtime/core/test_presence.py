"""Who is connected, and to which process: a part of the state that every turn sets right."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from contracts.errors import Code
from realtime.auth import token_hash
from realtime.core.commands import Connect, EndRoom, Inspect, Presence, Receive, Refresh
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.presence import Sight, everybody, with_player, without_player
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.core.turns import Entry, Turn
from realtime.parties.leet99 import Leet99
from realtime.testing import RoomOnTrial
from tests.realtime.core.test_turns import CounterParty

PROCESSES = st.sampled_from(["here", "there", "dead", "gone"])
IDS = st.sampled_from(["ann", "bob", "cy"])
KNOWN = st.dictionaries(PROCESSES, st.lists(IDS, unique=True, min_size=1))
LIVING = st.none() | st.frozensets(st.sampled_from(["there", "dead", "gone"]))
SIGHTS = st.builds(Sight, st.just("here"), st.frozensets(IDS), LIVING)


@given(sight=SIGHTS, known=KNOWN)
def test_to_correct_twice_is_to_correct_once(sight, known):
    once = sight.correct(known)
    assert sight.correct(once) == once


@given(sight=SIGHTS, known=KNOWN)
def test_a_process_says_exactly_who_is_connected_to_it(sight, known):
    corrected = sight.correct(known)
    assert set(corrected.get("here", ())) == sight.here
    assert all(corrected.values()), "a process without players has no entry"


@given(sight=SIGHTS, known=KNOWN)
def test_others_stay_as_they_are_unless_they_are_dead(sight, known):
    before = {one: ids for one, ids in known.items() if one != "here"}
    after = {one: ids for one, ids in sight.correct(known).items() if one != "here"}
    living = before if sight.peers is None else sight.peers
    assert after == {one: ids for one, ids in before.items() if one in living}


@given(sight=SIGHTS, known=KNOWN)
def test_what_is_right_is_left_alone(sight, known):
    before = {one: [*ids] for one, ids in known.items()}
    sight.correct(known)
    assert known == before
    right = sight.correct(known)
    assert sight.correct(right) is right


@given(known=KNOWN, process=PROCESSES, player=IDS)
def test_who_connects_is_connected_once(known, process, player):
    after = with_player(known, process, player)
    assert after[process].count(player) == 1
    assert with_player(after, process, player) is after
    assert everybody(after) == everybody(known) | {player}


@given(known=KNOWN, player=IDS)
def test_who_leaves_is_connected_nowhere(known, player):
    after = without_player(known, player)
    assert everybody(after) == everybody(known) - {player}
    assert all(after.values())


class At:
    """One of the processes of a room."""

    def __init__(self, room: RoomOnTrial, process: str) -> None:
        self.room = room
        self.process = process
        self.here: set[str] = set()

    def run(self, *commands, peers=frozenset({"here", "there"})) -> list[Turn]:
        """A batch of turns, committed."""
        turns = self.room.turns
        sight = Sight(self.process, frozenset(self.here), peers)
        turns.begin(self.room.now, sight.correct)
        ran = [turns.run(command, seed=7) for command in commands]
        self.processes = turns.processes
        if commit := turns.draft():
            turns.committed()
            self.room.commits.append(commit)
            self.room._snapshot = commit.snapshot
        return ran

    def enters(self, name: str) -> None:
        (turn,) = self.run(Connect(self.room_token(name), self.process))
        assert turn.error is None
        self.here.add(f"p_{name}")

    def says(self, name: str, kind: str) -> Turn:
        (turn,) = self.run(Receive(f"p_{name}", kind, Raw(b"{}")))
        return turn

    @staticmethod
    def room_token(name: str) -> str:
        return token_hash(f"t_{name}")

    @property
    def known(self) -> dict[str, list[str]]:
        return self.room.stored["connected"]


@pytest.fixture
def room():
    made = RoomOnTrial(CounterParty())
    made.register("alice", host=True)
    made.register("bob")
    return made


@pytest.fixture
def here(room):
    """Where alice is."""
    made = At(room, "here")
    made.enters("alice")
    return made


@pytest.fixture
def there(room, here):
    """Where bob is."""
    made = At(room, "there")
    made.enters("bob")
    return made


def last_entry(room: RoomOnTrial) -> Entry:
    return msgspec.json.decode(room.commits[-1].journal[-1].entry, type=Entry)


def test_both_processes_are_known(here, there):
    assert here.known == {"here": ["p_alice"], "there": ["p_bob"]}
    assert there.processes == {"here", "there"}


def test_a_refused_turn_leaves_no_correction(room, here, there):
    here.here.clear()
    before = room.snapshot
    assert here.says("alice", "add and refuse").error.code == Code.FORBIDDEN
    assert here.says("alice", "add and break").bug
    assert room.snapshot == before


def test_a_look_leaves_presence_to_the_next_turn(room, here, there):
    before = room.snapshot
    here.here.clear()
    here.run(Inspect())
    assert room.snapshot == before
    here.run(Presence())
    assert here.known == {"there": ["p_bob"]}


def test_where_presence_is_right_a_look_is_not_kept(room, here, there):
    before = room.snapshot
    here.run(Inspect(), Presence())
    there.run(Inspect(), Presence(), Refresh("there"))
    assert room.snapshot == before


def test_the_dead_are_forgotten_and_the_unknown_are_not(here, there):
    here.run(Presence(), peers=None)
    assert set(here.known) == {"here", "there"}
    here.run(Presence(), peers=frozenset())
    assert set(here.known) == {"here"}
    assert here.processes == {"here"}


def test_a_player_at_two_processes_is_there_until_both_are_gone(room, here, there):
    there.enters("alice")
    here.here.clear()
    here.run(Presence(left=("p_alice",)))
    assert here.known == {"there": ["p_bob", "p_alice"]}
    assert "host" not in room.stored["alarms"]
    there.here.discard("p_alice")
    there.run(Presence(left=("p_alice",)))
    assert "host" in room.stored["alarms"]


def test_who_leaves_at_one_is_sent_away_at_both(here, there):
    there.enters("alice")
    turn = there.says("alice", "LEAVE_ROOM")
    assert here.known == {"there": ["p_bob"]}
    assert there.processes == {"here", "there"}
    assert [one.player_id for one in turn.effects if hasattr(one, "code")] == ["p_alice"]


def test_a_closed_room_has_nobody_connected_and_tells_all_who_were(here, there):
    (turn,) = here.run(EndRoom())
    assert here.known == {}
    assert here.processes == {"here", "there"}
    closed = {one.player_id: one.code for one in turn.effects if hasattr(one, "code")}
    assert closed == {"p_alice": 4004, "p_bob": 4004}


def test_a_process_that_missed_the_end_finds_no_room(room, here, there):
    """Whereupon it closes its sockets."""
    here.run(EndRoom())
    before = room.snapshot
    (turn,) = there.run(Refresh("there"))
    assert turn.error.code is Code.ROOM_NOT_FOUND
    assert room.snapshot == before


def test_a_process_that_missed_who_left_closes_their_sockets(room, here, there):
    here.run(Receive("p_bob", "LEAVE_ROOM", Raw(b"{}")))
    (turn,) = there.run(Refresh("there"))
    assert [(one.player_id, one.code) for one in turn.effects if hasattr(one, "code")] == [
        ("p_bob", 1000)
    ]
    assert there.known == {"here": ["p_alice"]}


def test_a_process_refreshes_its_own_alone(here, there):
    (turn,) = there.run(Refresh("there"))
    (views,) = turn.effects
    assert set(views.own) == {"p_bob"}


def test_the_journal_runs_again_what_presence_was(room, here, there):
    before = room.snapshot
    here.here.clear()
    here.says("bob", "add")
    entry = last_entry(room)
    assert entry.connected == {"there": ["p_bob"]}
    again = RoomOnTrial(CounterParty())
    again.reload(before)
    connected = entry.connected
    again.turns.begin(room.commits[-1].journal[-1].at, lambda known: connected)
    again.turns.run(entry.command, seed=entry.seed)
    draft = again.turns.draft()
    assert draft
    assert draft.row.state == room.snapshot.state


def test_who_connects_in_a_turn_that_cannot_be_read_back_is_not_connected():
    class Twisted(Struct):
        value: int = 0

    class Unreadable(Party):
        slug = "unreadable"
        State = Twisted

        def on_join(self, room: Room, player: Player) -> None:
            room.state.value = "seven"

    room = RoomOnTrial(Unreadable())
    room.register("alice", host=True)
    here = At(room, "here")
    broken, *_ = here.run(Connect(here.room_token("alice"), "here"), Presence())
    assert broken.bug
    assert here.known == {}


def test_any_party_may_ask_who_is_connected_anywhere(here, there):
    class Asking(Leet99):
        slug = "asking"

        @message("who")
        def who(self, room: Room, player: Player) -> None:
            room.reply("who", sorted(room.connected))

    room = RoomOnTrial(Asking())
    room.register("alice", host=True)
    room.register("bob")
    here, there = At(room, "here"), At(room, "there")
    here.enters("alice")
    there.enters("bob")
    (reply,) = here.says("alice", "who").effects
    assert msgspec.json.decode(reply.frame)["payload"] == ["p_alice", "p_bob"]
