"""What a server writes of RFC 6455 is what a client of another house reads."""

from __future__ import annotations

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from realtime.websocket.reader import PING, PONG
from realtime.websocket.writer import binary_frame, close_frame, control_frame, text_frame


@pytest.fixture
def client():
    return ClientProtocol(parse_uri("ws://server.test/"), state=OPEN)


def read(client, sent):
    """The frames that it finds."""
    client.receive_data(sent)
    assert client.parser_exc is None
    return [(one.opcode, bytes(one.data), one.fin) for one in client.events_received()]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_a_text(client, size):
    payload = b"x" * size
    assert read(client, text_frame(payload)) == [(Opcode.TEXT, payload, True)]


@pytest.mark.parametrize("size", [0, 125, 126, 65536])
def test_bytes(client, size):
    payload = b"\xff" * size
    assert read(client, binary_frame(payload)) == [(Opcode.BINARY, payload, True)]


@pytest.mark.parametrize("size", [125, 126, 65535, 65536])
def test_no_byte_is_wasted_on_a_length(size):
    header = 2 if size < 126 else 4 if size < 65536 else 10
    assert len(text_frame(bytes(size))) == header + size


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest.mark.parametrize("payload", [b"", b"there?", b"x" * 125])
def test_a_control_frame(client, opcode, payload):
    assert read(client, control_frame(opcode, payload)) == [(opcode, payload, True)]


@pytest.mark.parametrize("reason", ["", "bye", "tschüß", "x" * 123])
def test_a_close(client, reason):
    read(client, close_frame(4011, reason.encode()))
    assert (client.close_rcvd.code, client.close_rcvd.reason) == (4011, reason)
