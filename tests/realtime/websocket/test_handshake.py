"""The opening handshake: which requests open a WebSocket, and how they are answered."""

from __future__ import annotations

import pytest

from realtime.websocket import handshake
from realtime.websocket.handshake import BadHandshake
from tests.support.visits import HANDSHAKE

HEAD = HANDSHAKE.removesuffix(b"\r\n\r\n")


def with_line(old: bytes, new: bytes) -> bytes:
    assert old in HEAD
    return HEAD.replace(old, new)


def refused(head: bytes) -> int:
    with pytest.raises(BadHandshake) as problem:
        handshake.read(head)
    return problem.value.status


def test_a_request_says_where_to_and_with_what():
    opening = handshake.read(HEAD + b"\r\nSec-WebSocket-Protocol: chat.v2, chat")
    assert (opening.path, opening.query) == (b"/parties/chat/K7PQ2M", b"_pk=1")
    assert opening.subprotocols == ["chat.v2", "chat"]
    assert opening.headers[:2] == [(b"host", b"rooms.example"), (b"upgrade", b"websocket")]


def test_the_proof_is_that_of_the_rfc():
    answer = handshake.accept(b"dGhlIHNhbXBsZSBub25jZQ==", None, ())
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert b"protocol:" not in answer.lower()


def test_the_subprotocol_and_headers_of_an_application_are_told():
    answer = handshake.accept(b"", "chat", [(b"date", b"today")])
    assert b"\r\nSec-WebSocket-Protocol: chat\r\ndate: today\r\n" in answer


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Upgrade: websocket", b"upgrade:WebSocket\t"),
        (b"keep-alive, Upgrade", b"UPGRADE"),
        (b"Connection: keep-alive, Upgrade", b"Connection: keep-alive\r\nConnection: upgrade"),
        (b"Sec-WebSocket-Version: 13", b"sec-websocket-version:   13"),
        (b"?_pk=1", b"?"),
    ],
)
def test_the_same_may_be_said_in_other_words(old, new):
    assert handshake.read(with_line(old, new)).key == b"dGhlIHNhbXBsZSBub25jZQ=="


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET ", b"POST "),
        (b"Host: rooms.example\r\n", b""),
        (b"Upgrade: websocket", b"Upgrade: h2c"),
        (b"Upgrade: websocket\r\n", b""),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"X: y"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b""),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZQ=="),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25j\xff\xff=="),
        (b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: AAAA\r\nSec-WebSocket-Key: "),
    ],
)
def test_a_request_that_lacks_something_is_a_bad_one(old, new):
    assert refused(with_line(old, new)) == 400


@pytest.mark.parametrize("version", [b"12", b"8", b"14", b"", b"13, 8"])
def test_another_version_is_told_which_one_we_speak(version):
    assert refused(with_line(b"Version: 13", b"Version: " + version)) == 426
    assert b"\r\nsec-websocket-version: 13\r\n" in handshake.refuse(426)


def test_a_missing_version_is_no_other_fault():
    assert refused(with_line(b"Sec-WebSocket-Version: 13\r\n", b"")) == 426


def test_permessage_deflate_is_not_taken_up():
    offered = HEAD + b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    answer = handshake.accept(handshake.read(offered).key, None, ())
    assert b"extensions" not in answer.lower()


def test_a_refusal_is_whole_and_the_last():
    answer = handshake.refuse(503, [(b"retry-after", b"1")], b"later")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 503 Service Unavailable",
        b"retry-after: 1",
        b"content-length: 5",
        b"connection: close",
    ]
    assert body == b"later"


def test_a_length_that_the_application_gave_is_not_said_twice():
    answer = handshake.refuse(403, [(b"Content-Length", b"2"), (b"connection", b"x")], b"no")
    assert answer.lower().count(b"content-length") == answer.lower().count(b"connection:") == 1
