"""Conversations made by hand, by theme: what is right, what is not, and what is nearly either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations, pairwise, product

from tests.framelab.differences import Stream
from tests.framelab.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    NO_KEY,
    PING,
    PONG,
    TEXT,
    close,
    fragments,
    frame,
    text,
)

MAX_BYTES = 70_000  # every way to say a length fits in
SMALL = 200
HELLO = text("hello")
OPEN_TEXT = frame(TEXT, b"hel", final=False)
REST = frame(CONTINUATION, b"lo")
CONTROLS = [frame(PING, b"are you there"), frame(PONG), frame(PING) + frame(PONG, b"x" * 125)]

GOOD_TEXTS = [
    "",
    "plain",
    "κόσμε",
    "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff",
    "a\U0001f3b2b",
    "\ufeffbyte order mark",
    "e\u0301\u200d\U0001f469\u200d\U0001f680",
]
BAD_UTF8 = [
    b"\x80",  # the middle of something
    b"\xbf",
    b"\xc0\x80",  # overlong
    b"\xc1\xbf",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80",  # surrogates
    b"\xed\xbf\xbf",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\xf4\x90\x80\x80",  # above U+10FFFF
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xc3",  # the beginning of something
    b"\xe2\x82",
    b"\xf0\x9f\x8e",
    b"\xc3\x28",  # and then something else
    b"\xe2\x28\xa1",
    b"\xf0\x9f\x28\xb2",
]


def first_bytes() -> Iterator[bytes]:
    """Every opcode, every reserved bit, final or not, masked or not; with and without a message
    under way."""
    forms = product(range(16), range(8), (True, False), (KEY, None), (b"", OPEN_TEXT))
    for opcode, reserved, final, key, before in forms:
        yield before + frame(opcode, b"", final=final, reserved=reserved, key=key) + REST + HELLO


def lengths() -> Iterator[bytes]:
    """Every way to say a length, at its limits; also more than is there."""
    ways: list[tuple[int, int | None]] = [
        (length, None) for length in (0, 1, 2, 3, 125, 126, 127, 65535, 65536, 66000)
    ]
    ways += [(length, 2) for length in (0, 1, 125, 126, 65535)]
    ways += [(length, 8) for length in (0, 1, 125, 126, 65535, 65536, 66000)]
    for opcode, (length, length_bytes) in product((TEXT, BINARY), ways):
        yield frame(opcode, b"x" * length, length_bytes=length_bytes) + HELLO
    for length in (0, 1, 124, 125, 126, 127):
        for opcode, length_bytes in product((PING, PONG), (None, 2, 8)):
            yield frame(opcode, b"x" * length, length_bytes=length_bytes) + HELLO
    for length in (70_001, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield HELLO + frame(BINARY, b"some of it", length=length)
        yield HELLO + frame(PING, b"some of it", length=length)
        yield OPEN_TEXT + frame(CONTINUATION, b"some of it", length=length)


def masks() -> Iterator[bytes]:
    """Keys of every kind, and none."""
    for key in (KEY, NO_KEY, b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x80\0\0\0", None):
        for opcode, size in product((TEXT, BINARY, PING), (0, 1, 3, 4, 5, 31, 125)):
            yield frame(opcode, b"p" * size, key=key) + HELLO
        yield OPEN_TEXT + frame(CONTINUATION, b"lo", key=key) + HELLO


def fragmented() -> Iterator[bytes]:
    """A message cut in every way, with control frames between the fragments."""
    for opcode, between in product((TEXT, BINARY), [b"", *CONTROLS]):
        for pieces in _cut(b"hello"):
            yield fragments(opcode, pieces, between) + HELLO
        for pieces in ([b"", b""], [b"", b"a", b""], [b"", b"", b"", b"a"], [b"a", b"", b"", b""]):
            yield fragments(opcode, pieces, between) + HELLO
    yield fragments(BINARY, [b"x" * 300, b"", b"y" * 66_000])


def turns() -> Iterator[bytes]:
    """Frames whose turn it is, and frames whose turn it isn't."""
    yield from (b"", HELLO, HELLO * 3, HELLO + frame(BINARY, b"\xff\0") + HELLO)
    yield from CONTROLS
    for final, more in product((True, False), (b"", HELLO)):
        yield frame(CONTINUATION, b"lo", final=final) + more
        yield HELLO + frame(CONTINUATION, b"lo", final=final) + more
        yield OPEN_TEXT + REST + frame(CONTINUATION, b"lo", final=final) + more
        for opcode in (TEXT, BINARY):
            yield OPEN_TEXT + frame(opcode, b"new", final=final) + more
    yield OPEN_TEXT
    yield OPEN_TEXT + close(1000) + REST
    yield close(1000) + HELLO
    yield close(1000) + close(1001) + frame(3)
    yield frame(PING, final=False) + HELLO
    yield OPEN_TEXT + frame(CLOSE, final=False) + HELLO


def texts() -> Iterator[bytes]:
    """Good and bad UTF-8, whole and in two or three fragments cut anywhere."""
    good = [one.encode() for one in GOOD_TEXTS]
    bad = [before + one + after for one in BAD_UTF8 for before, after in _SURROUNDINGS]
    for content in good + bad:
        yield frame(TEXT, content) + HELLO
        yield frame(BINARY, content) + HELLO
        for places in [(n,) for n in range(len(content) + 1)] + [(1, len(content) - 1)]:
            pieces = _pieces(content, places)
            yield fragments(TEXT, pieces, frame(PING, content)) + HELLO


_SURROUNDINGS = [(b"", b""), (b"ab", b""), (b"", b"ab"), ("ü".encode(), "ü".encode())]


def closings() -> Iterator[bytes]:
    """Every close code that is near a limit; reasons of every kind and size."""
    codes = {0, 1, 999, *range(1000, 1020), 1100, 1999, 2000, 2999, 3000, 3999, 4000, 4999, 5000}
    for code in sorted(codes | {0x8000, 65535}):
        yield close(code)
        yield HELLO + close(code, b"why") + HELLO
        yield OPEN_TEXT + close(code)
        yield close(code, b"\xff")
    yield from (frame(CLOSE), frame(CLOSE, b"\x03"), HELLO + frame(CLOSE, b"\xff"))
    yield from (close(1000, b"x" * size) for size in (122, 123, 124, 200))
    yield from (close(1000, one.encode()) for one in GOOD_TEXTS)
    yield from (close(1001, one) for one in BAD_UTF8)
    yield frame(CLOSE, b"\x03\xe8why", key=None)


def oversize() -> Iterator[bytes]:
    """As much as is allowed, and one byte more; in one frame, or in many."""
    for opcode, size in product((TEXT, BINARY), (SMALL - 1, SMALL, SMALL + 1, 70_000)):
        yield HELLO + frame(opcode, b"x" * size) + HELLO
        yield HELLO + frame(opcode, b"x" * size, final=False) + REST
        yield (
            fragments(opcode, [b"x" * (size // 2), b"x" * (size - size // 2)], frame(PING)) + HELLO
        )
    full = frame(TEXT, b"x" * SMALL, final=False)
    for end in (frame(CONTINUATION), frame(CONTINUATION, b"x"), frame(CONTINUATION, final=False)):
        yield full + frame(PING, b"still there") + end + HELLO
    yield full + frame(PING, b"y" * 125) + frame(PING, b"y" * 126)
    yield full + close(1000, b"enough")
    yield frame(TEXT, b"", final=False) + frame(CONTINUATION, b"x", final=False) * (SMALL + 1)
    yield HELLO + frame(TEXT, b"", length=SMALL + 1)
    yield HELLO + frame(TEXT, b"", length=SMALL + 1, reserved=4)


def _cut(content: bytes) -> Iterator[list[bytes]]:
    """Every way to make pieces of it."""
    inside = range(1, len(content))
    for count in range(len(content)):
        for places in combinations(inside, count):
            yield _pieces(content, places)


def _pieces(content: bytes, places: tuple[int, ...]) -> list[bytes]:
    bounds = [0, *sorted(max(place, 0) for place in places), len(content)]
    return [content[a:b] for a, b in pairwise(bounds)]


THEMES = [first_bytes, lengths, masks, fragmented, turns, texts, closings, oversize]


@cache
def streams(theme: Callable[[], Iterator[bytes]]) -> list[Stream]:
    """A theme's conversations, each once."""
    limit = SMALL if theme is oversize else MAX_BYTES
    return [Stream(sent, limit) for sent in dict.fromkeys(theme())]
