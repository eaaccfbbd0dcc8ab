"""What members say has the length it should have, and is what our service takes."""

import json
from typing import Any

from benchmarks.services import greenroom
from benchmarks.wire import MESSAGE_BYTES, Seat, marked_json, marked_text, seats_at, sent_bytes
from contracts import jsonio
from contracts.chat import ChatSay, ChatSignal
from contracts.sockets import JOIN_ROOM, Envelope, JoinRoomMessage

NO_DATABASE: Any = None
SERVICE = greenroom("Greenroom", make=NO_DATABASE)
TALK: Any = SERVICE.talk
KEEP: Any = SERVICE.keep


def payload(message, model):
    envelope = jsonio.decode(message.encode(), Envelope)
    return envelope.type, jsonio.decode(bytes(envelope.payload), model)


def test_what_is_said_is_as_long_for_everybody():
    assert sent_bytes(marked_json()) == MESSAGE_BYTES
    assert sent_bytes(marked_text()) == MESSAGE_BYTES
    assert json.loads(marked_json())["at"] == "%T"


def test_our_messages_are_those_of_chat():
    kind, signal = payload(TALK.message, ChatSignal)
    assert kind == "chat.signal"
    assert bytes(signal.data).decode() == marked_json()
    assert payload(KEEP.message, ChatSay) == ("chat.say", ChatSay(marked_text()))


def test_our_members_enter_with_their_tokens():
    show, see = TALK.steps
    assert payload(show.removeprefix(">"), JoinRoomMessage) == (JOIN_ROOM, JoinRoomMessage("%K"))
    assert see == '<"ROOM_SNAPSHOT"'


def test_members_of_a_room_sit_beside_each_other():
    assert list(seats_at("/rooms/%d", 1999, rooms=2, members=2)) == [
        Seat(0, "ws://127.0.0.1:1999/rooms/0000"),
        Seat(0, "ws://127.0.0.1:1999/rooms/0000"),
        Seat(1, "ws://127.0.0.1:1999/rooms/0001"),
        Seat(1, "ws://127.0.0.1:1999/rooms/0001"),
    ]
