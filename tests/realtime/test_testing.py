"""The harness for game authors: what happens in it happens in the service."""

import pytest
from msgspec import Struct

from contracts.errors import Code
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

    def view(self, room: Room) -> dict[str, object]:
        room.state.rung += 100  # a mistake that a look must not keep
        if self.broken:
            raise LookupError("no bell")
        return super().view(room)


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


def test_a_stranger_can_not_even_send_what_is_volatile(room):
    room.register("carl")  # who never connects
    room.vanish("bob")
    room.receive("alice", "GO")
    for name in ("nobody", "carl", "bob", "alice"):
        assert hums(room, name).code == Code.UNAUTHORIZED
        assert room.effects == []


def test_nobody_is_connected_to_a_room_that_does_not_exist(party):
    assert hums(RoomOnTrial(party), "alice").code == Code.UNAUTHORIZED


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
