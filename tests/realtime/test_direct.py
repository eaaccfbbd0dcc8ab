"""The short way out: at once while the client keeps up, in order and bounded while it does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from config import env
from contracts.sockets import Close
from realtime.backlog import VIEWS_WAITING
from realtime.direct import ABORT_S, DirectWire
from realtime.engine.frames import Frames
from realtime.websocket.protocol import CLOSE_TIMEOUT_S
from tests.support.engine import settled
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.visits import BINARY, CLOSE, HIGH_WATER, LOW_WATER, Visit, close

PATIENCE_S = 5.0
LIMIT_BYTES = 1000
LONG_S = 100.0

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


class Player:
    """A client, and the wire to it over a protocol of ours."""

    def __init__(self, visit: Visit, limit_bytes: int) -> None:
        self.visit, self.client, self.closed = visit, visit.client, 0
        socket = visit.app.socket
        self.wire = DirectWire(socket, limit_bytes, PATIENCE_S, self.on_close)
        socket.attach(self.wire)

    def on_close(self) -> None:
        self.closed += 1

    def stalls(self) -> None:
        self.visit.stalls()

    def reads_on(self) -> None:
        self.client.reads_on()

    @property
    def got(self) -> list[str | int]:
        """Texts, and the code of a close. What stalled it is left out."""
        return [
            int.from_bytes(payload[:2], "big") if opcode == CLOSE else payload.decode()
            for opcode, payload in self.client.frames
            if opcode != BINARY
        ]


async def player(limit_bytes: int = LIMIT_BYTES) -> Player:
    return Player(await Visit().opens(), limit_bytes)


def test_five_seconds_are_the_default():
    assert env.load({}).socket_patience_s == 5


# -- a client that keeps up ----------------------------------------------------------------------


async def test_everything_leaves_at_once_and_in_order():
    alice = await player()
    alice.wire.send(b"one")
    alice.wire.send_all(Frames([b"two", b"three"]))
    alice.wire.show(b"view", replaces=True)
    assert alice.got == ["one", "two", "three", "view"]
    alice.wire.close(Close.REMOVED)
    assert alice.got[-1] == 4010


async def test_frames_for_many_are_joined_once():
    alice, bob = await player(), await player()
    frames = Frames([b"one", b"two"])
    alice.wire.send_all(frames)
    joined = frames.joined
    bob.wire.send_all(frames)
    assert frames.joined is joined
    assert alice.got == bob.got == ["one", "two"]


async def test_a_close_is_told_soon_and_once_and_nothing_follows_it():
    alice = await player()
    alice.wire.close(Close.REMOVED)
    alice.wire.close(Close.BUG)
    assert alice.closed == 0
    for late in (alice.wire.send, lambda frame: alice.wire.show(frame, replaces=False)):
        late(b"too late")
    alice.wire.send_all(Frames([b"too late"]))
    await settled()
    assert (alice.got, alice.closed, alice.wire.closed) == ([4010], 1, True)


@pytest.mark.parametrize("size", [100, 60_000])
async def test_who_reads_at_once_is_not_slow_however_much_comes_in_one_moment(size):
    """A batch of turns is told without a pause, in which nobody could have read anything."""
    alice = await player(limit_bytes=size)
    alice.client.reads = False
    asyncio.get_running_loop().call_soon(alice.reads_on)
    for _ in range(64):
        alice.wire.send(b"x" * size)
        alice.wire.show(b"view", replaces=False)
    await settled()
    assert len(alice.got) == 128
    assert not alice.wire.closed


# -- one that does not ---------------------------------------------------------------------------


async def test_what_waited_leaves_in_order_when_it_reads_again():
    alice = await player()
    alice.stalls()
    alice.wire.send(b"one")
    alice.wire.send_all(Frames([b"two", b"three"]))
    alice.wire.show(b"view", replaces=False)
    alice.wire.send(b"four")
    assert alice.got == []
    alice.reads_on()
    assert alice.got == ["one", "two", "three", "view", "four"]
    alice.wire.send(b"five")
    assert alice.got[-1] == "five"
    await asyncio.sleep(LONG_S / 4)
    assert not alice.wire.closed


async def test_of_the_views_that_wait_it_gets_the_newest():
    alice = await player()
    alice.stalls()
    for number in range(5):
        alice.wire.show(f"view {number}".encode(), replaces=True)
        alice.wire.send(f"frame {number}".encode())
    alice.reads_on()
    assert alice.got == [*(f"frame {n}" for n in range(4)), "view 4", "frame 4"]


async def test_it_may_stall_again_while_it_is_sent_what_waited():
    alice = await player(limit_bytes=10 * HIGH_WATER)
    alice.stalls()
    frames = [bytes([letter]) * LOW_WATER for letter in b"abcdefghij"]
    for frame in frames:
        alice.wire.send(frame)
    for _ in range(8):
        alice.client.read(HIGH_WATER)
        assert len(alice.client.waiting) <= HIGH_WATER + LOW_WATER + 100
    alice.wire.send(b"last")
    alice.reads_on()
    assert alice.got == [*(frame.decode() for frame in frames), "last"]


async def test_each_step_renews_its_patience_and_standing_still_ends_it():
    alice = await player(limit_bytes=10 * HIGH_WATER)
    alice.stalls()
    for _ in range(20):
        alice.wire.send(b"x" * LOW_WATER)
    for _ in range(4):
        await asyncio.sleep(PATIENCE_S - 1)
        alice.client.read(HIGH_WATER)
    assert not alice.wire.closed
    await asyncio.sleep(PATIENCE_S + 0.1)
    assert alice.wire.closed


async def test_who_stands_still_for_too_long_is_told_and_broken_off_soon():
    alice = await player()
    alice.stalls()
    alice.wire.send(b"one")
    await asyncio.sleep(PATIENCE_S - 0.1)
    assert not alice.wire.closed
    await asyncio.sleep(0.2)
    assert (alice.wire.closed, alice.closed) == (True, 1)
    await alice.visit.app.ends()
    alice.wire.abandon()  # as the consumer does when it is told
    await asyncio.sleep(ABORT_S)
    assert alice.client.aborted
    assert alice.visit.gone()


async def test_who_reads_on_after_that_sees_why():
    alice = await player()
    alice.stalls()
    alice.wire.send(b"dropped")
    await asyncio.sleep(PATIENCE_S + 0.1)
    alice.reads_on()
    assert alice.got == [4011]
    alice.client.send(close(4011))
    await settled()
    assert alice.client.lost
    assert not alice.client.aborted


async def test_who_reads_that_and_does_not_answer_is_broken_off_as_soon():
    alice = await player()
    alice.stalls()
    await asyncio.sleep(PATIENCE_S + 0.1)
    alice.reads_on()
    await asyncio.sleep(ABORT_S)
    assert alice.client.aborted


def shows(wire, views):
    for _ in range(views):
        wire.show(b"view", replaces=False)


@pytest.mark.parametrize("fill", ["send", "send_all", "show"])
async def test_who_lets_too_much_wait_is_judged_when_it_had_its_chance(fill):
    alice = await player()
    alice.stalls()
    fillings = {
        "send": lambda: alice.wire.send(b"x" * (LIMIT_BYTES + 1)),
        "send_all": lambda: alice.wire.send_all(Frames([b"x" * 400] * 3)),
        "show": lambda: shows(alice.wire, VIEWS_WAITING + 1),
    }
    fillings[fill]()
    assert not alice.wire.closed
    await settled()
    assert (alice.wire.closed, alice.closed) == (True, 1)
    alice.reads_on()
    assert alice.got == [4011]


async def test_a_full_backlog_that_is_read_in_time_is_no_fault():
    alice = await player()
    alice.stalls()
    alice.wire.send(b"x" * (LIMIT_BYTES + 1))
    alice.reads_on()
    await settled()
    assert len(alice.got) == 1
    assert not alice.wire.closed


async def test_just_as_much_as_may_wait_is_not_too_much():
    alice = await player()
    alice.stalls()
    alice.wire.send(b"x" * LIMIT_BYTES)
    alice.wire.show(b"v" * HIGH_WATER, replaces=True)
    await settled()
    assert not alice.wire.closed


# -- closes that wait ----------------------------------------------------------------------------


async def test_a_close_waits_for_its_turn():
    alice = await player()
    alice.stalls()
    alice.wire.send(b"one")
    alice.wire.close(Close.REMOVED)
    alice.wire.send(b"too late")
    await settled()
    assert (alice.got, alice.closed) == ([], 1)
    alice.reads_on()
    assert alice.got == ["one", 4010]
    await asyncio.sleep(CLOSE_TIMEOUT_S + 1)
    assert alice.closed == 1


async def test_a_close_that_waits_too_long_is_still_the_one_that_was_meant():
    """Who was removed must not be told to come back."""
    alice = await player()
    alice.stalls()
    alice.wire.send(b"one")
    alice.wire.close(Close.REMOVED)
    await asyncio.sleep(PATIENCE_S + 0.1)
    alice.reads_on()
    assert (alice.got, alice.closed) == ([4010], 1)
    await asyncio.sleep(ABORT_S)
    assert alice.client.aborted


# -- clients that leave --------------------------------------------------------------------------


@pytest.mark.parametrize("leaves", ["reset", "end", "closes", "is_abandoned"])
@pytest.mark.parametrize("state", ["reads", "stalls", "is_closed"])
async def test_nothing_goes_on_for_who_is_gone(leaves, state):
    alice = await player()
    if state != "reads":
        alice.stalls()
        alice.wire.send(b"never")
    if state == "is_closed":
        alice.wire.close(Close.REMOVED)
    if leaves == "closes":
        alice.client.send(close(1001))
    elif leaves == "is_abandoned":
        alice.wire.abandon()
        alice.client.reset()
    else:
        getattr(alice.client, leaves)()
    alice.reads_on()
    await settled()
    alice.wire.send(b"too late")
    alice.wire.show(b"too late", replaces=True)
    alice.wire.close(Close.BUG)
    alice.wire.abandon()
    await alice.visit.app.ends()
    assert "never" not in alice.got
    assert alice.visit.gone()
    assert alice.closed == (state == "is_closed")
    loop: Any = asyncio.get_running_loop()
    assert all(timer.cancelled() for timer in loop._scheduled)
