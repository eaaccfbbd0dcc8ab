"""What a server writes of RFC 6455: each frame whole, and not masked."""

from __future__ import annotations

from struct import Struct

from realtime.websocket.reader import BINARY, CLOSE, TEXT

_FINAL = 0x80
_FINAL_TEXT = _FINAL | TEXT
_SHORT = Struct("!BB").pack
_LENGTH_IN_2 = Struct("!BBH").pack
_LENGTH_IN_8 = Struct("!BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """A message: `payload` is its text in UTF-8."""
    length = len(payload)
    if length < 126:
        return _SHORT(_FINAL_TEXT, length) + payload
    if length < 65536:
        return _LENGTH_IN_2(_FINAL_TEXT, 126, length) + payload
    return _LENGTH_IN_8(_FINAL_TEXT, 127, length) + payload


def binary_frame(payload: bytes) -> bytes:
    """A message of bytes."""
    return bytes([_FINAL | BINARY]) + text_frame(payload)[1:]  # nothing else tells them apart


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """A PING, PONG or CLOSE, whose payload is at most CONTROL_MAX_BYTES."""
    return _SHORT(_FINAL | opcode, len(payload)) + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """A CLOSE; its reason is UTF-8 of at most 123 bytes."""
    return control_frame(CLOSE, code.to_bytes(2, "big") + reason)
