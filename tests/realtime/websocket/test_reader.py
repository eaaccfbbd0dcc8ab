"""What a server reads of RFC 6455: messages, control frames, failures; and what that costs."""

from __future__ import annotations

import inspect
import sys
import time
import tracemalloc
from contextlib import contextmanager
from random import Random
from types import ModuleType, SimpleNamespace

import pytest

from realtime.websocket import reader as module
from realtime.websocket.reader import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Reader,
    close_code,
    close_reason,
)
from tests.framelab.frames import CONTINUATION, close, fragments, frame, text

MAX_BYTES = 1000
MIB = 1 << 20
START = frame(TEXT, b"hel", final=False)
REST = frame(CONTINUATION, b"lo")


@pytest.fixture
def reader():
    return Reader(MAX_BYTES)


# -- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "hi", "hello", "x" * 200, "κόσμε", "\U0001f3b2" * 30])
def test_a_text(reader, content):
    assert reader.feed(text(content)) == [(TEXT, content.encode())]


def test_any_bytes_are_a_binary_message(reader):
    assert reader.feed(frame(BINARY, b"\xff\x00")) == [(BINARY, b"\xff\x00")]


def test_all_that_came_in_one_read_in_order(reader):
    sent = text("one") + frame(PING, b"two") + text("three") + frame(PONG, b"four")
    assert reader.feed(sent) == [
        (TEXT, b"one"),
        (PING, b"two"),
        (TEXT, b"three"),
        (PONG, b"four"),
    ]


def test_a_read_of_nothing(reader):
    assert reader.feed(b"") == []
    assert not reader.failed
    assert not reader.closed


@pytest.mark.parametrize("size", [0, 5, 126, 400])
def test_a_frame_is_read_when_its_last_byte_is_here(reader, size):
    sent = text("x" * size)
    *before, last = (reader.feed(sent[place : place + 1]) for place in range(len(sent)))
    assert not any(before)
    assert last == [(TEXT, b"x" * size)]


def test_the_end_of_one_and_the_beginning_of_another(reader):
    sent = text("one") + text("two") + text("three")
    assert reader.feed(sent[:5]) == []
    assert reader.feed(sent[5:-5]) == [(TEXT, b"one"), (TEXT, b"two")]
    assert reader.feed(sent[-5:]) == [(TEXT, b"three")]


def test_a_message_in_fragments(reader):
    assert reader.feed(fragments(BINARY, [b"a", b"", b"bc"])) == [(BINARY, b"abc")]
    assert reader.feed(fragments(TEXT, [b"a", b"bc"])) == [(TEXT, b"abc")]


def test_control_frames_overtake_the_message_that_they_interrupt(reader):
    assert reader.feed(START + frame(PING, b"?") + REST) == [(PING, b"?"), (TEXT, b"hello")]


def test_a_letter_may_be_cut_by_a_fragment(reader):
    letter = "ü".encode()
    assert reader.feed(fragments(TEXT, [letter[:1], letter[1:]])) == [(TEXT, letter)]


def test_unmasking_without_the_compiled_half_is_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    plain = ModuleType("reader without the compiled half")
    exec(inspect.getsource(module), vars(plain))
    assert plain.Reader(MAX_BYTES).feed(text("hello")) == [(TEXT, b"hello")]


# -- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_a_close_with_code_and_reason(reader, code):
    ((opcode, payload),) = reader.feed(close(code, "tschüß".encode()))
    assert (opcode, close_code(payload), close_reason(payload)) == (CLOSE, code, "tschüß")
    assert reader.closed
    assert not reader.failed


def test_a_close_without_a_code(reader):
    ((_, payload),) = reader.feed(frame(CLOSE))
    assert close_code(payload) is None
    assert close_reason(payload) == ""


def test_what_comes_after_a_close_means_nothing(reader):
    assert len(reader.feed(close(1000) + text("more") + b"\xff")) == 1
    assert reader.feed(text("more")) == []
    assert not reader.failed


def test_a_close_may_interrupt_a_message(reader):
    assert len(reader.feed(START + close(1001))) == 1
    assert reader.closed


# -- failures ------------------------------------------------------------------------------------

BROKEN = {
    "not masked": (text("hi", key=None), 1002),
    "a reserved bit": (text("hi", reserved=4), 1002),
    "a reserved opcode": (frame(3), 1002),
    "a control frame in fragments": (frame(PING, final=False), 1002),
    "a long control frame": (frame(PONG, b"x" * 126), 1002),
    "the end of no message": (frame(CONTINUATION), 1002),
    "a message within one": (START + text("hi"), 1002),
    "a length of 64 bits": (frame(BINARY, length=1 << 63), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "a close code that nobody may send": (close(1005), 1002),
    "a close code below all": (close(999), 1002),
    "a close code above all": (close(5000), 1002),
    "a close code that is not assigned": (close(2999), 1002),
    "text that is none": (frame(TEXT, b"\xff"), 1007),
    "a longer text that is none": (frame(TEXT, b"x" * 200 + b"\xed\xa0\x80"), 1007),
    "fragments that are no text": (fragments(TEXT, [b"\xc3", b"\x28"]), 1007),
    "half a letter": (fragments(TEXT, [b"a", b"\xc3"]), 1007),
    "a reason that is no text": (close(1000, b"\xc0\x80"), 1007),
    "too large": (frame(BINARY, b"x" * (MAX_BYTES + 1)), 1009),
    "fragments that are too large": (fragments(BINARY, [b"x" * 501, b"x" * 500]), 1009),
}


@pytest.mark.parametrize(("sent", "code"), BROKEN.values(), ids=BROKEN)
def test_a_stream_that_is_broken(reader, sent, code):
    assert reader.feed(text("before") + sent + text("after")) == [(TEXT, b"before")]
    assert reader.failed == code
    assert not reader.closed
    assert reader.feed(text("later")) == []


def test_as_much_as_is_allowed(reader):
    assert reader.feed(frame(BINARY, b"x" * MAX_BYTES)) == [(BINARY, b"x" * MAX_BYTES)]
    halves = fragments(BINARY, [b"x" * 500, b"x" * 500], frame(PING, b"y" * 125))
    assert reader.feed(halves) == [(PING, b"y" * 125), (BINARY, b"x" * MAX_BYTES)]


@pytest.mark.parametrize("length", [MAX_BYTES + 1, 1 << 16, (1 << 63) - 1])
def test_what_is_too_large_fails_before_it_is_here(reader, length):
    header = frame(TEXT, length=length, key=b"")
    assert reader.feed(header) == []
    assert reader.failed == 1009


def test_fragments_fail_with_the_header_that_makes_them_too_large(reader):
    reader.feed(frame(TEXT, b"x" * MAX_BYTES, final=False))
    assert reader.feed(frame(CONTINUATION, length=1)) == []
    assert reader.failed == 1009


@pytest.mark.parametrize("seed", range(50))
def test_no_bytes_make_it_raise(seed):
    random, reader = Random(seed), Reader(MAX_BYTES)
    while not (reader.failed or reader.closed):
        reader.feed(random.choice([b"\x81", b"\x01", b"\x89", b"\x00"]) + random.randbytes(20))
    assert reader.feed(random.randbytes(20)) == []


# -- memory and time -----------------------------------------------------------------------------


@contextmanager
def watched():
    """Memory that was taken in the block and is still held, and the most that was at once."""
    seen = SimpleNamespace()
    tracemalloc.start()
    try:
        yield seen
        seen.held_bytes, seen.peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


def test_an_idle_reader_keeps_nothing_of_what_it_read():
    sent = START + frame(PING, b"?") + REST + text("x" * 500)
    reads = [sent[:1], sent[1:40], sent[40:]]
    with watched() as memory:
        readers = [Reader(MAX_BYTES) for _ in range(1000)]
        for reader in readers:
            for read in reads:
                reader.feed(read)
    assert memory.held_bytes < 1000 * 128


def test_a_failed_one_keeps_nothing_either():
    reader = Reader(MIB)
    with watched() as memory:
        reader.feed(frame(BINARY, bytes(MIB // 2), final=False))
        reader.feed(b"\xff\xff")
    assert reader.failed
    assert memory.held_bytes < 1024


def test_a_message_of_single_bytes_takes_no_more_than_its_bytes():
    reader, count = Reader(1 << 16), 1 << 16
    first, more = frame(BINARY, b"x", final=False), frame(CONTINUATION, b"x", final=False)
    with watched() as memory:
        reader.feed(first)
        for _ in range(count - 1):
            reader.feed(more)
    assert not reader.failed
    assert memory.peak_bytes < 1.25 * count + 4096
    assert reader.feed(frame(CONTINUATION)) == [(BINARY, b"x" * count)]


def test_empty_fragments_without_end_take_no_memory():
    reader = Reader(MAX_BYTES)
    reader.feed(frame(TEXT, b"", final=False))
    many = frame(CONTINUATION, b"", final=False) * 1000
    with watched() as memory:
        for _ in range(100):
            assert reader.feed(many) == []
    assert memory.held_bytes < 1024


def test_a_fragment_and_a_frame_that_is_not_whole_take_no_more_than_the_limit():
    half = MIB // 2
    sent = frame(BINARY, bytes(half), final=False) + frame(CONTINUATION, bytes(half))[:-1]
    reads = [sent[place : place + 4096] for place in range(0, len(sent), 4096)]
    reader = Reader(MIB)
    with watched() as memory:
        for read in reads:
            reader.feed(read)
    assert memory.held_bytes < 1.25 * MIB


def test_a_header_alone_reserves_nothing():
    reader = Reader(MIB)
    with watched() as memory:
        reader.feed(frame(BINARY, b"", length=MIB))
    assert memory.held_bytes < 1024


@pytest.mark.parametrize("form", ["one frame", "single bytes", "empty fragments"])
def test_time_is_in_proportion_to_bytes(form):
    """A reader that copied what it holds at each read would take minutes."""
    sent = {
        "one frame": frame(BINARY, bytes(MIB)),
        "single bytes": fragments(BINARY, [b"x"] * (MIB // 8)),
        "empty fragments": fragments(BINARY, [bytes(MIB - 1), *[b""] * (MIB // 8)]),
    }[form]
    reader, began = Reader(MIB), time.thread_time()
    received = [one for byte in range(len(sent)) for one in reader.feed(sent[byte : byte + 1])]
    assert len(received) == 1
    assert time.thread_time() - began < 20
