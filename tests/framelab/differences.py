"""Where other readers differ from ours, and why each may: everything else is a bug of somebody.

A stream is fed frame by frame until ours and another part. What explains that frame explains the
difference: one of them is at its end there.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import NamedTuple

from tests.framelab.frames import CLOSE, CONTINUATION, TEXT, Part, parts
from tests.framelab.readers import PEERS, Make, Ours, Outcome, outcome

PROTOCOL_ERROR, BAD_UTF8, TOO_LARGE = 1002, 1007, 1009
HIGHEST_BIT = 1 << 63


class Stream(NamedTuple):
    """What a client sends to a reader with this limit."""

    sent: bytes
    max_bytes: int


class Parting(NamedTuple):
    """Ours and another make something else of one frame, and of none before it."""

    frame: Part
    message: tuple[int, bytes] | None  # the fragments before it, if they wait for more
    max_bytes: int
    ours: Outcome
    theirs: Outcome
    later: Outcome  # theirs, if the frame goes on in zeros

    @property
    def data_bytes(self) -> int:
        """Of the message so far and this frame."""
        return len(self.message[1] if self.message else b"") + (self.frame.length or 0)

    @property
    def in_turn(self) -> bool:
        return self.frame.control or (self.frame.opcode == CONTINUATION) == bool(self.message)

    @property
    def text_so_far(self) -> bytes | None:
        """Of a text that is not finished with what is here."""
        opcode, before = self.message or (self.frame.opcode, b"")
        unfinished = not (self.frame.whole and self.frame.final)
        return before + self.frame.payload if opcode == TEXT and unfinished else None


class Difference(NamedTuple):
    """One that is known."""

    peer: str
    what: str  # the other one does
    why: str  # both are right, or at least ours is
    explains: Callable[[Parting], bool]


def _waits(parting: Parting) -> bool:
    return (
        parting.ours.failed == PROTOCOL_ERROR
        and not parting.theirs.failed
        and not parting.frame.whole
        and parting.later.failed in (PROTOCOL_ERROR, TOO_LARGE)
    )


def _looks_at_the_length_first(parting: Parting) -> bool:
    frame = parting.frame
    wrong = not parting.in_turn or frame.first & 0x70 or (frame.control and not frame.final)
    return bool(
        parting.ours.failed == PROTOCOL_ERROR
        and parting.theirs.failed == TOO_LARGE
        and parting.data_bytes > parting.max_bytes
        and (wrong or frame.control or (frame.length or 0) >= HIGHEST_BIT)
    )


def _counts_control_frames(parting: Parting) -> bool:
    return (
        parting.frame.control
        and parting.theirs.failed == TOO_LARGE
        and parting.ours.failed != TOO_LARGE
        and parting.data_bytes > parting.max_bytes
    )


def _takes_control_frames_that_waste_bytes(parting: Parting) -> bool:
    return (
        parting.frame.control
        and not parting.frame.minimal
        and parting.ours.failed == PROTOCOL_ERROR
        and not parting.theirs.failed
    )


def _wants_messages_finished(parting: Parting) -> bool:
    return (
        parting.frame.opcode == CLOSE
        and parting.message is not None
        and parting.ours.closed
        and parting.theirs.failed == PROTOCOL_ERROR
    )


def _reads_the_reason_first(parting: Parting) -> bool:
    return (
        parting.frame.opcode == CLOSE
        and parting.ours.failed == PROTOCOL_ERROR
        and parting.theirs.failed == BAD_UTF8
        and not _may_become_text(parting.frame.payload[2:] + b"\0")
    )


def _has_no_limit(parting: Parting) -> bool:
    return (
        parting.ours.failed == TOO_LARGE
        and parting.theirs.failed != PROTOCOL_ERROR
        and not parting.frame.control
        and parting.data_bytes > parting.max_bytes
    )


def _refuses_wasted_bytes(parting: Parting) -> bool:
    return not parting.frame.minimal and parting.theirs.failed == PROTOCOL_ERROR


def _reads_text_at_once(parting: Parting) -> bool:
    so_far = parting.text_so_far
    return (
        parting.theirs.failed == BAD_UTF8
        and not parting.ours.failed
        and so_far is not None
        and not _may_become_text(so_far)
    )


def _does_not_know_1014(parting: Parting) -> bool:
    return (
        parting.frame.opcode == CLOSE
        and parting.frame.payload[:2] == (1014).to_bytes(2, "big")
        and parting.theirs.failed == PROTOCOL_ERROR
    )


def _may_become_text(so_far: bytes) -> bool:
    """Whether something can follow that makes it UTF-8."""
    try:
        getincrementaldecoder("utf-8")().decode(so_far)
    except UnicodeDecodeError:
        return False
    return True


KNOWN = [
    Difference(
        "websockets",
        "judges a frame when all of it is there",
        "Ours fails at the first byte that can't be right. RFC 6455 names no moment.",
        _waits,
    ),
    Difference(
        "websockets",
        "looks at a frame's length before its reserved bits, its turn and its kind",
        "The frame breaks two rules. RFC 6455 has no order of them, and both codes are true.",
        _looks_at_the_length_first,
    ),
    Difference(
        "websockets",
        "counts a control frame as part of the message that it interrupts",
        "RFC 6455 5.4: it is none. No peer can know how much room a message under way has left.",
        _counts_control_frames,
    ),
    Difference(
        "websockets",
        "takes control frames whose length could be said in fewer bytes",
        "RFC 6455 5.2 forbids to send them. Ours, like most, refuses 126 and 127 there at sight.",
        _takes_control_frames_that_waste_bytes,
    ),
    Difference(
        "websockets",
        "wants a message finished before CLOSE",
        "RFC 6455 5.4: control frames may come in the middle of a message, and CLOSE is one (5.5).",
        _wants_messages_finished,
    ),
    Difference(
        "websockets",
        "reads a CLOSE's reason before its code",
        "The frame breaks two rules, as above.",
        _reads_the_reason_first,
    ),
    Difference(
        "wsproto",
        "judges a frame when its header, or some of its payload, is there",
        "As above: RFC 6455 names no moment.",
        _waits,
    ),
    Difference(
        "wsproto",
        "has no limit",
        "RFC 6455 10.4 leaves limits to who reads. Its users count what it hands them.",
        _has_no_limit,
    ),
    Difference(
        "wsproto",
        "refuses a length that could be said in fewer bytes",
        "RFC 6455 5.2 binds who sends. What is read is the same, and ours is as lenient as most.",
        _refuses_wasted_bytes,
    ),
    Difference(
        "wsproto",
        "reads text as it arrives",
        "RFC 6455 8.1 asks that bad text fails the connection. Ours sees it when the message ends, "
        "and hands nothing of it out before.",
        _reads_text_at_once,
    ),
    Difference(
        "wsproto",
        "does not know the close code 1014",
        "It is registered with IANA, as RFC 6455 7.4.2 provides.",
        _does_not_know_1014,
    ),
]


def known(peer: str, stream: Stream, ours: Make = Ours) -> Difference | None:
    """What explains that they differ; None: nothing does."""
    parting = part(stream, ours, PEERS[peer])
    if parting is None:
        return None
    return next((one for one in KNOWN if one.peer == peer and one.explains(parting)), None)


def part(stream: Stream, ours: Make, theirs: Make) -> Parting | None:
    """Where two that differ do so first. None: they don't when they get it frame by frame."""
    mine, other = ours(stream.max_bytes), theirs(stream.max_bytes)
    message, at = None, 0
    for frame in parts(stream.sent):
        read = stream.sent[at : frame.end]
        found, others = outcome(mine, [read]), outcome(other, [read])
        if found != others:
            later = outcome(other, [bytes(stream.max_bytes + 14)])
            return Parting(frame, message, stream.max_bytes, found, others, later)
        message, at = _after(frame, message), frame.end
    return None


def _after(frame: Part, message: tuple[int, bytes] | None) -> tuple[int, bytes] | None:
    """The fragments that wait for more, after a good frame."""
    if frame.control:
        return message
    opcode, before = message or (frame.opcode, b"")
    return None if frame.final else (opcode, before + frame.payload)
