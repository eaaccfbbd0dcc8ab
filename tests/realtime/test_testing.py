"""The harness for game authors: what happens in it happens in the service."""

from collections.abc import Mapping

import pytest
from msgspec import Struct
from msgspec.json import decode

from contracts import jsonio
from contracts.errors import Code
from realtime.core.commands import Receive
from realtime.party import Party, Player, Relay, Room, message
from realtime.testing import RoomOnTrial, opened


class Bell(Struct):
    rung: int = 0


class BellParty(Party):
    """Once it rings, it rings again and again. It can be broken."""

    slug = "bell"
    State = Bell
    pause_s = 0.0
    broken = False

    @message("RING")
    def start(self, room: Room, player: Player) -> None:
        room.alarm("bell", self.pause_s)

    @message("GO")
    def go(self, room: Room, player: Player) -> None:
        room.release(player)

    @message("HUM", volatile=True)
    def hum(self, relay: Relay) -> None:
        relay.broadcast("HUMMED", {"username": relay.username})

    def on_alarm(self, room: Room, name: str) -> None:
        if self.broken:
            raise LookupError("no bell")
        room.state.rung += 1
        room.alarm("bell", self.pause_s)

    def view(self, room: Room) -> Mapping[str, object]:
        room.state.rung += 100  # a mistake that a look must not keep
        if self.broken:
            raise LookupError("no bell")
        return super().view(room)


class Words(Struct, frozen=True):
    text: str


class Drawn(Struct):
    ids: list[str] = []


class DrawParty(Party):
    """Whatever rings draws an id; SHOUT is heard twice, SHOW seen twice."""

    slug = "draw"
    State = Drawn

    @message("PLAN")
    def plan(self, room: Room, player: Player) -> None:
        for name in ("one", "two"):
            room.alarm(name, 1)

    @message("SHOUT", Words)
    def shout(self, room: Room, player: Player, words: Words) -> None:
        for _ in range(2):
            room.broadcast("SHOUTED", {"text": words.text})

    @message("SHOW")
    def show(self, room: Room, player: Player) -> None:
        for _ in range(2):
            room.broadcast_view()
        for one in room.players:
            room.send(one, "SHOWN", {})

    def on_alarm(self, room: Room, name: str) -> None:
        room.state.ids.append(room.new_id("m"))


def two_draw(*, looked: bool = False) -> list[str]:
    """The ids that two alarms draw at one moment."""
    room = opened(DrawParty)
    room.receive("alice", "PLAN")
    if looked:
        room.view_of("alice")
    room.advance(1)
    return room.state.ids


@pytest.fixture
def party():
    return BellParty()


@pytest.fixture
def room(party):
    return opened(party, ["alice", "bob"])


def hums(room, name):
    return room.receive(name, "HUM")


def test_a_volatile_message_has_its_senders_name(room):
    room.register("Zoë", player_id="p_zoe")
    room.connect("zoe", token="t_Zoë")
    assert hums(room, "zoe").ok
    assert room.broadcasts == [("HUMMED", {"username": "Zoë"})]


@pytest.mark.parametrize("kind", ["RING", "HUM", "DANCE"])
def test_who_is_not_connected_can_send_nothing(room, kind):
    room.register("carl")  # who never connects
    room.vanish("bob")
    room.receive("alice", "GO")
    before = room.snapshot
    for name in ("nobody", "carl", "bob", "alice"):
        refused = room.receive(name, kind)
        assert str(refused.error) == "UNAUTHORIZED: Send JOIN_ROOM first"
        assert (room.effects, room.snapshot) == ([], before)


@pytest.mark.parametrize("kind", ["RING", "HUM"])
def test_nobody_is_connected_to_a_room_that_does_not_exist(party, kind):
    assert RoomOnTrial(party).receive("alice", kind).code == Code.UNAUTHORIZED


@pytest.mark.parametrize("kind", ["RING", "HUM"])
def test_whom_an_earlier_snapshot_does_not_know_is_no_member(room, kind):
    before = room.snapshot
    room.register("carl")
    room.connect("carl")
    room.reload(before)
    refused = room.receive("carl", kind)
    assert str(refused.error) == "UNAUTHORIZED: You are not a member of this room any more"


def test_a_message_that_was_in_the_mailbox_is_heard_though_its_socket_ended(room):
    room.vanish("bob")
    assert room.run(Receive("p_bob", "RING", jsonio.raw({}))).ok
    assert room.due_in("bell") == 0


def test_a_payload_reaches_the_room_without_what_its_model_does_not_know():
    room = opened(DrawParty)
    assert room.receive("alice", "SHOUT", {"text": "hi", "colour": "red"}).ok
    (row,) = room.commits[-1].journal
    assert decode(row.entry)["command"]["payload"] == {"text": "hi"}


@pytest.mark.parametrize(("kind", "payload"), [("SHOUT", {"text": 5}), ("PLAN", []), ("DANCE", {})])
def test_a_message_that_can_not_be_read_never_reaches_the_room(kind, payload):
    room = opened(DrawParty)
    room.receive("alice", "PLAN")
    room.sleep(1)
    before = room.snapshot
    assert room.receive("alice", kind, payload).code == Code.BAD_REQUEST
    assert (room.effects, room.snapshot) == ([], before), "no alarm has rung either"


def test_each_turn_draws_for_itself_and_every_trial_the_same():
    one, two = two_draw()
    assert one != two
    assert two_draw() == [one, two]
    assert two_draw(looked=True) == [one, two]


def test_what_is_told_twice_is_seen_twice():
    room = opened(DrawParty, ["alice", "bob"])
    room.receive("alice", "SHOUT", {"text": "hi"})
    assert room.kinds == ["SHOUTED", "SHOUTED"]
    room.receive("alice", "SHOW")
    assert room.kinds == ["ROOM_SNAPSHOT", "ROOM_SNAPSHOT", "SHOWN", "SHOWN"]


def test_a_room_that_is_not_there_has_nothing_to_see(party):
    with pytest.raises(ValueError, match="its host registers first"):
        _ = RoomOnTrial(party).state


def test_who_is_sent_away_on_coming_in_is_not_connected():
    class Strict(BellParty):
        def on_join(self, room, player):
            room.disconnect(player)

    assert opened(Strict).connected == set()


def test_a_look_changes_nothing(room):
    before, rung, version = room.snapshot, room.state.rung, room.version
    assert room.view_of("alice")["roomId"] == "K7PQ2M"
    assert room.turns.draft() is None
    assert room.inspect().ok
    assert (room.snapshot, room.state.rung, room.version) == (before, rung, version)


def test_a_look_that_fails_is_raised_from_the_partys_own_exception(room, party):
    party.broken = True
    with pytest.raises(ValueError, match="alice sees nothing") as told:
        room.view_of("alice")
    assert isinstance(told.value.__cause__, LookupError)


def test_who_is_not_connected_sees_nothing(room):
    room.vanish("bob")
    with pytest.raises(ValueError, match="bob is not connected"):
        room.view_of("bob")
    room.close()
    with pytest.raises(ValueError, match="ROOM_NOT_FOUND"):
        room.view_of("alice")


def test_looks_are_at_the_snapshot_that_was_loaded(room, party):
    party.pause_s = 10
    before, rung = room.snapshot, room.state.rung
    room.receive("alice", "RING")
    room.advance(10)
    assert room.state.rung == rung + 1
    room.reload(before)
    assert (room.snapshot, room.state.rung, room.due_in("bell")) == (before, rung, None)


def test_an_alarm_that_rings_on_and_on_at_one_moment_is_told(room):
    room.receive("alice", "RING")
    with pytest.raises(RuntimeError, match="'bell' rang 10000 times at one moment"):
        room.advance(1)


def test_a_long_time_passes_with_many_alarms(room, party):
    party.pause_s = 1
    room.receive("alice", "RING")
    rung = room.state.rung
    room.advance(3 * 3600)
    assert room.state.rung == rung + 3 * 3600


def test_an_administrator_closes_the_room(room):
    assert not room.over
    assert room.close().ok
    assert room.over
    assert room.sent_away == {"p_alice": 4004, "p_bob": 4004}
    assert room.close().code == Code.ROOM_NOT_FOUND


def test_an_administrator_gives_parked_alarms_another_try(room, party):
    party.broken, party.pause_s = True, 10
    room.receive("alice", "RING")
    room.advance(200)
    assert room.parked == 1
    party.broken = False
    rung = room.state.rung
    assert room.retry_alarms().ok
    assert (room.parked, room.due_in("bell")) == (0, 0)
    room.advance(0)
    assert (room.state.rung, room.due_in("bell")) == (rung + 1, 10)


def test_a_match_that_a_store_would_refuse_is_refused_here_too():
    class Again(Party):
        slug = "again"

        @message("GO")
        def go(self, room: Room, player: Player) -> None:
            room.record("m_1", room.now, "over", [])

    room = opened(Again)
    assert room.receive("alice", "GO").ok
    with pytest.raises(ValueError, match="The match 'm_1' is recorded already"):
        room.receive("alice", "GO")
