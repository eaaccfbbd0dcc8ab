"""chat, as its clients see it."""

import msgspec
import pytest

from contracts.chat import ChatSignal
from contracts.errors import Code, RoomError
from realtime.core.relay import Relay
from realtime.parties.chat import ChatParty
from realtime.testing import opened


@pytest.fixture
def room():
    return opened(ChatParty(), ("alice", "bob"))


def test_a_line_goes_to_everybody_and_a_newcomer_still_sees_it(room):
    assert room.receive("alice", "chat.say", {"text": " hi "}).ok
    ((kind, said),) = room.broadcasts
    assert kind == "chat.said"
    assert (said["playerId"], said["username"], said["text"]) == ("p_alice", "alice", "hi")
    room.register("carl")
    room.connect("carl")
    snapshot = room.frames[0][1]["payload"]
    assert set(snapshot) == {"roomId", "me", "players", "messages"}
    assert snapshot["messages"] == [said]


def test_the_last_hundred_lines_stay(room):
    for number in range(120):
        room.receive("alice", "chat.say", {"text": str(number)})
    assert [line["text"] for line in room.stored["state"]["messages"]][::99] == ["20", "119"]


def test_register_answers_an_empty_object_of_settings(room):
    reply = room.register("carl").reply
    assert (reply["settings"], reply["phase"], reply["matchPhase"]) == ({}, "lobby", "lobby")


def test_a_signal_is_relayed_as_it_was_written():
    relayed: list[bytes] = []
    data = msgspec.Raw(b'{"x": 1.10, "n": 12345678901234567890}')
    relay = Relay("p_alice", "alice", 0.0, relayed.append)
    ChatParty().signal(relay, ChatSignal(data))
    assert bytes(data) in relayed[0]
    with pytest.raises(RoomError) as refusal:
        ChatParty().signal(relay, ChatSignal(msgspec.Raw(b'"' + b"x" * 4096 + b'"')))
    assert refusal.value.code == Code.BAD_REQUEST
