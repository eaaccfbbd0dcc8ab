"""Clients that are not ours: `ws` for Node and `websockets` for Python, on our protocol."""

from __future__ import annotations

import itertools
import json
import socket as sockets

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from config.env import DEV_SERVICE_KEY
from tests.e2e.conftest import places
from tests.support.servers import PATIENCE_S, server
from tests.support.site import Site, player
from tests.support.talker import Talker
from tests.support.visits import HANDSHAKE, frames_of, message

FRAME_MAX_BYTES = 64 * 1024
PARTY = "chat"
SAID = ["", "a", "x" * 4000, "ü€🎲\u2028" * 200, '"\\\n\u0000']
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def house(any_migrated, tmp_path_factory):
    """A realtime service alone."""
    folder = tmp_path_factory.mktemp("clients")
    with any_migrated.copy(folder) as database:
        environ = {**database.environ, **places(), "RATE_LIMITS": "off"}
        with server("realtime", environ, folder) as realtime:
            yield Site(realtime, database)


@pytest.fixture
def room(house):
    """A chat room with alice in it: its path, and her token."""
    path, host = f"/parties/{PARTY}/room-{next(numbers)}", player("alice", isHost=True)
    key = {"Authorization": f"Bearer {DEV_SERVICE_KEY}"}
    answer = house.http.post(f"{house.realtime.url}{path}/register", json=host, headers=key)
    assert answer.status_code == 200
    return path, host["playerToken"]


@pytest.fixture
def url(house, room):
    return house.realtime.url.replace("http", "ws", 1) + room[0]


@pytest.fixture
def talker(node, url, room):
    """alice, by `ws`, who has joined."""
    with Talker(url) as talker:
        join(talker, room)
        yield talker


@pytest.fixture
def alice(url, room):
    """alice, by `websockets`, who has joined."""
    with connect(url, legacy=True, compression=None, proxy=None) as socket:
        socket.send(said("JOIN_ROOM", playerToken=room[1]))
        assert hears(socket, "ROOM_SNAPSHOT")
        yield socket


def hears(socket, kind):
    """The payload of the next message of this type."""
    while (heard := json.loads(socket.recv(PATIENCE_S)))["type"] != kind:
        pass
    return heard["payload"]


def join(talker, room):
    talker.says(said("JOIN_ROOM", playerToken=room[1]))
    assert talker.hears("ROOM_SNAPSHOT")


def said(kind, **payload):
    return json.dumps({"type": kind, "payload": payload}, ensure_ascii=False)


def padded(number, size):
    """A signal that is so many bytes long; what is unknown in it is ignored."""
    bare = len(said("chat.signal", data=number, padding=""))
    return said("chat.signal", data=number, padding="x" * (size - bare))


# -- ws, for Node --------------------------------------------------------------------------------


@pytest.mark.parametrize("data", SAID)
@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_ws_gets_back_what_it_says(talker, data, pieces):
    talker.says(said("chat.signal", data=data), pieces)
    assert talker.hears("chat.signalled")["payload"]["data"] == data


def test_ws_says_texts_of_every_length(talker):
    lengths = [70, 125, 126, 127, 4096, 65535, FRAME_MAX_BYTES]
    for number, length in enumerate(lengths):
        talker.says(padded(number, length), pieces=number % 3 + 1)
        assert talker.hears("chat.signalled")["payload"]["data"] == number
    talker.says("")
    assert talker.hears("ERROR")["payload"]["code"] == "BAD_REQUEST"
    talker.says(padded(0, FRAME_MAX_BYTES + 1))
    assert talker.closed() == (1009, "")


def test_ws_says_much_at_once_and_hears_it_in_order(talker):
    for number in range(2000):
        talker.says(padded(number, 100 + number))
    heard = [talker.hears("chat.signalled")["payload"]["data"] for _ in range(2000)]
    assert heard == list(range(2000))


@pytest.mark.parametrize("data", ["", "?", "x" * 125])
def test_ws_has_its_pings_answered(talker, data):
    talker.does("ping", data=data)
    while (event := talker.next())["event"] == "message":
        pass
    assert event == {"event": "pong", "data": data}


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4321, "über"), (1001, "x" * 123)])
def test_ws_closes_and_is_answered_in_kind(talker, code, reason):
    talker.does("close", code=code, reason=reason)
    assert talker.closed()[0] == code


def test_ws_is_closed_with_a_code(talker):
    talker.says(said("LEAVE_ROOM"))
    assert talker.closed() == (1000, "")


@pytest.mark.parametrize("compresses", [True, False])
def test_ws_offers_to_compress_and_is_declined(node, url, room, compresses):
    with Talker(url, compresses=compresses) as talker:
        assert talker.extensions == ""
        join(talker, room)


# -- websockets, for Python ----------------------------------------------------------------------


def test_websockets_offers_to_compress_and_is_declined(url, room):
    with connect(url, legacy=True, compression="deflate", proxy=None) as socket:
        assert not socket.protocol.extensions
        socket.send(said("JOIN_ROOM", playerToken=room[1]))
        assert hears(socket, "ROOM_SNAPSHOT")


@pytest.mark.parametrize("data", SAID)
def test_websockets_gets_back_what_it_says(alice, data):
    text = said("chat.signal", data=data)
    alice.send(text)
    alice.send(iter([text[:5], "", text[5:]]))
    assert [hears(alice, "chat.signalled")["data"] for _ in "12"] == [data, data]


def test_websockets_has_its_pings_answered_between_fragments(alice):
    def pieces():
        text = said("chat.signal", data="in pieces")
        yield text[:10]
        assert alice.ping("between").wait(PATIENCE_S)
        yield text[10:]

    alice.send(pieces())
    assert hears(alice, "chat.signalled")["data"] == "in pieces"


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4321, "über"), (3000, "x" * 123)])
def test_websockets_closes_and_is_answered_in_kind(alice, code, reason):
    alice.close(code, reason)
    assert alice.protocol.close_rcvd.code == code


def test_websockets_is_closed_with_a_code(alice):
    alice.send(b"bytes")
    with pytest.raises(ConnectionClosed, match="1003"):
        hears(alice, "nothing more")


# -- neither -------------------------------------------------------------------------------------


def test_who_does_not_wait_for_answers_is_heard_in_order(house, room):
    """Everything at once, as soon as the handshake is answered."""
    path, token = room
    address = (house.realtime.host, house.realtime.port)
    signals = [message("chat.signal", data=number) for number in range(3000)]
    with sockets.create_connection(address, PATIENCE_S) as raw:
        raw.sendall(HANDSHAKE.replace(b"/parties/chat/K7PQ2M", path.encode()))
        assert raw.recv(4096).endswith(b"\r\n\r\n")
        raw.sendall(message("JOIN_ROOM", playerToken=token) + b"".join(signals))
        heard = b""
        while b'"data":2999}' not in heard:
            heard += raw.recv(1 << 16)
    messages = [json.loads(payload) for _, payload in frames_of(heard)]
    signalled = [one["payload"]["data"] for one in messages if one["type"] == "chat.signalled"]
    assert messages[0]["type"] == "ROOM_SNAPSHOT"
    assert signalled == list(range(3000))
