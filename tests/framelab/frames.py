"""Frames as clients send them, right or wrong; and bytes taken apart into frames, judging none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"
NO_KEY = b"\0\0\0\0"  # which leaves a payload as it is


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    key: bytes | None = KEY,
    length: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """One frame; without a key it is not masked. It may lie about its length, or waste bytes."""
    length = len(payload) if length is None else length
    first = final << 7 | reserved << 4 | opcode
    masked = (key is not None) << 7
    key = key or b""
    return bytes([first]) + _length(length, length_bytes, masked) + key + mask(payload, key)


def _length(length: int, length_bytes: int | None, masked: int) -> bytes:
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 1 << 16 else 8
    short = {0: length, 2: 126, 8: 127}[length_bytes]
    return bytes([masked | short]) + (length.to_bytes(length_bytes, "big") if length_bytes else b"")


def mask(payload: bytes, key: bytes) -> bytes:
    """Mask it, or unmask it; without a key it stays as it is."""
    if not any(key):
        return payload
    keys = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(keys)).to_bytes(len(payload))


def text(content: str, **form) -> bytes:
    return frame(TEXT, content.encode(), **form)


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def fragments(opcode: int, pieces: list[bytes], between: bytes = b"") -> bytes:
    """One message in so many frames, and other frames between each two of them."""
    last = len(pieces) - 1
    return between.join(
        frame(CONTINUATION if place else opcode, piece, final=place == last)
        for place, piece in enumerate(pieces)
    )


class Part(NamedTuple):
    """What lies in the stream where a frame should be. None: it ends before that can be told."""

    end: int  # in the stream
    first: int
    masked: bool | None
    length: int | None
    minimal: (
        bool  # no byte of its length is wasted, as far as can be told; a control frame needs one
    )
    whole: bool
    payload: bytes  # unmasked, as far as it is there

    @property
    def opcode(self) -> int:
        return self.first & 15

    @property
    def final(self) -> bool:
        return self.first >= 128

    @property
    def control(self) -> bool:
        return bool(self.first & 8)


def parts(stream: bytes) -> Iterator[Part]:
    """The stream, frame by frame; the last one may not be whole."""
    at = 0
    while at < len(stream):
        part = _part(stream, at)
        yield part
        at = part.end


def _part(stream: bytes, at: int) -> Part:
    first, rest = stream[at], stream[at + 1 :]
    cut = Part(len(stream), first, None, None, minimal=True, whole=False, payload=b"")
    if not rest:
        return cut
    masked, short = rest[0] >= 128, rest[0] & 127
    size = {126: 2, 127: 8}.get(short, 0)
    if len(rest) < 1 + size:
        return cut._replace(masked=masked, minimal=not first & 8)
    length = int.from_bytes(rest[1 : 1 + size], "big") if size else short
    minimal = not size or length >= {2: 126, 8: 1 << 16}[size]
    key = rest[1 + size : 5 + size] if masked else NO_KEY
    body = rest[1 + size + 4 * masked :][:length] if len(key) == 4 else b""
    end = at + 2 + size + 4 * masked + length
    return Part(
        min(end, len(stream)), first, masked, length, minimal, end <= len(stream), mask(body, key)
    )
