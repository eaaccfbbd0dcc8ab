"""Conversations with something wrong about them that nobody thought of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import TypeAlias

from tests.framelab.cases import THEMES, streams
from tests.framelab.differences import Stream
from tests.framelab.frames import BINARY, CLOSE, CONTINUATION, NO_KEY, PING, PONG, TEXT, frame

LONG = 400  # bytes; what is wrong with longer seeds is mostly wrong with shorter ones too
LONG_SEEDS, THROWN, SPLICED = 0.01, 0.6, 0.2  # of all
FRAMES_MAX, CONTROLS, FINAL = 8, 0.3, 0.5
LIMITS = (60, 200, 1000, 70_000)
SEEDS_MAX, CHANGES_MAX, READS_MAX = 3, 3, 6
LETTERS = ["plain", "κόσμε", "\U0001f3b2", "ü" * 63, "x" * 62, "x" * 125, "x" * 127]
CONTENTS = [b"", b"a", b"\xc3", b"\xa9", *(one.encode() for one in LETTERS)]
CLOSINGS = [b"", b"\x03\xe8", b"\x03\xe8bye", b"\x0f\xab" + "tschüß".encode(), b"\x03\xee"]
LOUD = b"\x00\x01\x02\x08\x09\x0a\x7d\x7e\x7f\x80\x81\x88\x89\xc0\xed\xf4\xfd\xfe\xff"

Change: TypeAlias = Callable[[Random, bytes], bytes]


class Seeds:
    """Conversations made by hand, and others that are thrown together."""

    def __init__(self, random: Random) -> None:
        self._random = random
        by_hand = [[one.sent for one in streams(theme)] for theme in THEMES]
        self._short = [[one for one in some if len(one) <= LONG] for some in by_hand]
        self._long = [one for some in by_hand for one in some if len(one) > LONG]

    def one(self) -> bytes:
        if self._random.random() < LONG_SEEDS:
            return self._random.choice(self._long)
        if self._random.random() < THROWN:
            return thrown_together(self._random)
        return self._random.choice(self._random.choice(self._short))

    def some(self) -> bytes:
        return b"".join(self.one() for _ in range(self._random.randint(1, SEEDS_MAX)))


def thrown_together(random: Random) -> bytes:
    """Messages of a few fragments with control frames among them: nearly always good ones."""
    sent, under_way = b"", False
    for _ in range(random.randint(1, FRAMES_MAX)):
        control, final = random.random() < CONTROLS, random.random() < FINAL
        sent += _thrown_frame(random, control=control, under_way=under_way, final=control or final)
        under_way = under_way if control else not final
    return sent


def _thrown_frame(random: Random, *, control: bool, under_way: bool, final: bool) -> bytes:
    """In clear more often than not, so that a change may hit a letter and nothing else."""
    opcode = CONTINUATION if under_way else random.choice((TEXT, TEXT, BINARY))
    if control:
        opcode = random.choice((PING, PONG, PING, PONG, CLOSE))
    content = random.choice(CLOSINGS if opcode == CLOSE else CONTENTS)
    key = random.choice((NO_KEY, NO_KEY, random.randbytes(4)))
    return frame(opcode, content, final=final, key=key)


def mutations(seed: int) -> Iterator[Stream]:
    """Changed conversations, without end; the same ones for the same seed."""
    random = Random(seed)
    seeds = Seeds(random)
    while True:
        sent = seeds.some()
        for _ in range(random.randint(0, CHANGES_MAX)):
            sent = random.choice(CHANGES)(random, sent)
        if random.random() < SPLICED:
            sent = truncate(random, sent) + _end(random, seeds.one())
        yield Stream(sent, random.choice(LIMITS))


def reads(random: Random, sent: bytes) -> list[bytes]:
    """Cut as a network might."""
    places = sorted(random.choices(range(len(sent) + 1), k=random.randint(1, READS_MAX)))
    bounds = [0, *places, len(sent)]
    return [sent[a:b] for a, b in pairwise(bounds)]


def flip_a_bit(random: Random, sent: bytes) -> bytes:
    place = random.randrange(len(sent) or 1)
    flipped = [byte ^ 1 << random.randrange(8) for byte in sent[place : place + 1]]
    return _replaced(sent, place, bytes(flipped))


def set_a_byte(random: Random, sent: bytes) -> bytes:
    return _replaced(sent, random.randrange(len(sent) or 1), bytes([random.choice(LOUD)]))


def truncate(random: Random, sent: bytes) -> bytes:
    return sent[: random.randint(0, len(sent))]


def remove(random: Random, sent: bytes) -> bytes:
    begin, end = _span(random, sent)
    return sent[:begin] + sent[end:]


def repeat(random: Random, sent: bytes) -> bytes:
    begin, end = _span(random, sent)
    return sent[:end] + sent[begin:end] * random.randint(1, 3) + sent[end:]


def insert(random: Random, sent: bytes) -> bytes:
    place = random.randint(0, len(sent))
    return sent[:place] + random.randbytes(random.randint(1, 12)) + sent[place:]


CHANGES: list[Change] = [flip_a_bit, set_a_byte, truncate, remove, repeat, insert]


def _end(random: Random, sent: bytes) -> bytes:
    return sent[random.randint(0, len(sent)) :]


def _replaced(sent: bytes, place: int, byte: bytes) -> bytes:
    return sent[:place] + byte + sent[place + 1 :]


def _span(random: Random, sent: bytes) -> tuple[int, int]:
    begin = random.randint(0, len(sent))
    return begin, min(len(sent), begin + random.randint(1, 40))
