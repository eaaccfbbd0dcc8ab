"""The outbox: in order, bounded, and nobody waits for a slow reader."""

import asyncio
from typing import Any

import pytest

from contracts.sockets import Close
from realtime.outbox import Outbox
from tests.support.engine import settled


class Peer:
    """An ASGI server's `send`, whose client reads when it likes."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.reads = asyncio.Event()
        self.closed = 0

    async def send(self, event):
        await self.reads.wait()
        self.got.append(event.get("text", event.get("code")))

    def outbox(self, limit_bytes=100):
        return Outbox(self.send, limit_bytes, self.on_close)

    def on_close(self):
        self.closed += 1


def test_frames_leave_in_order_and_a_close_is_the_last():
    async def story():
        peer = Peer()
        outbox = peer.outbox()
        for text in (b"a", b"b", b"c"):
            outbox.send(text)
        outbox.close(Close.NORMAL)
        outbox.send(b"too late")
        outbox.close(Close.BUG)
        peer.reads.set()
        await settled()
        assert peer.got == ["a", "b", "c", 1000]
        assert peer.closed == 1

    asyncio.run(story())


def test_a_view_that_comes_after_the_verdict_is_dropped_like_those_before():
    async def story():
        peer = Peer()
        outbox = peer.outbox(limit_bytes=100)
        outbox.send(b"a")
        await settled()
        outbox.show(b"view", replaces=True)
        outbox.send(b"x" * 101)
        await settled()
        outbox.show(b"newer", replaces=True)
        peer.reads.set()
        await settled()
        assert peer.got == ["a", 4011]

    asyncio.run(story())


def test_a_slow_reader_is_closed_and_what_waited_is_dropped():
    async def story():
        peer = Peer()
        outbox = peer.outbox(limit_bytes=100)
        for _ in range(50):
            outbox.send(b"x" * 10)
            await asyncio.sleep(0)
        assert peer.closed == 1
        peer.reads.set()
        await settled()
        assert peer.got == ["x" * 10, 4011]

    asyncio.run(story())


def test_a_newer_view_takes_the_place_of_one_that_still_waits():
    async def story():
        peer = Peer()
        outbox = peer.outbox(limit_bytes=10)
        outbox.show(b"first look" * 100, replaces=False)
        await asyncio.sleep(0)
        for number in range(5):
            outbox.show(f"view {number}".encode() * 100, replaces=True)
            outbox.send(b"x")
        peer.reads.set()
        await settled()
        assert peer.got == ["first look" * 100, *"xxxx", "view 4" * 100, "x"]
        outbox.show(b"again", replaces=True)
        await settled()
        assert peer.got[-1] == "again"
        assert peer.closed == 0

    asyncio.run(story())


def test_a_view_under_way_is_not_replaced():
    async def story():
        peer = Peer()
        outbox = peer.outbox()
        outbox.show(b"under way", replaces=True)
        await asyncio.sleep(0)
        outbox.show(b"newer", replaces=True)
        peer.reads.set()
        await settled()
        assert peer.got == ["under way", "newer"]

    asyncio.run(story())


def test_a_close_code_that_the_server_refuses_becomes_a_plain_close():
    async def story():
        got = []

        async def daphne(event):
            if event.get("code", 3000) < 3000:
                raise ValueError("invalid close code")
            got.append(event)

        Outbox(daphne, 100, lambda: None).close(Close.RESTART)
        await settled()
        assert got == [{"type": "websocket.close"}]

    asyncio.run(story())


def test_a_socket_that_is_gone_costs_nothing_more():
    async def story():
        peer = Peer()
        outbox = peer.outbox()
        outbox.send(b"a")
        await asyncio.sleep(0)
        outbox.abandon()
        outbox.send(b"b")
        peer.reads.set()
        await settled()
        assert peer.got == []
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())


def test_a_view_with_a_place_of_its_own_is_never_replaced():
    """What leaves before and after it may depend on it."""

    async def story():
        peer = Peer()
        outbox = peer.outbox()
        outbox.show(b"soon", replaces=True)
        outbox.send(b"started")
        outbox.show(b"kept", replaces=False)
        outbox.send(b"said")
        outbox.show(b"newer", replaces=True)
        peer.reads.set()
        await settled()
        assert peer.got == ["started", "kept", "said", "newer"]

    asyncio.run(story())


def test_who_asks_for_views_and_reads_none_is_closed():
    async def story():
        peer = Peer()
        outbox = peer.outbox(limit_bytes=10**9)
        for _ in range(50):
            outbox.show(b"x" * 100_000, replaces=False)
        await settled()
        assert peer.closed == 1
        peer.reads.set()
        await settled()
        assert peer.got[-1] == 4011
        assert len(peer.got) == 2

    asyncio.run(story())


@pytest.mark.parametrize("size", [10, 60_000])
def test_who_reads_at_once_is_not_slow_however_much_comes_in_one_moment(size):
    """A batch of turns is told without a pause, in which nobody could have read anything."""

    async def story():
        peer = Peer()
        peer.reads.set()
        outbox = peer.outbox(limit_bytes=size)
        for _ in range(64):
            outbox.send(b"x" * size)
            outbox.show(b"view", replaces=False)
        await settled()
        assert len(peer.got) == 128
        assert peer.closed == 0

    asyncio.run(story())


def test_who_reads_may_ask_for_as_many_views_as_it_likes():
    async def story():
        peer = Peer()
        peer.reads.set()
        outbox = peer.outbox(limit_bytes=10)
        for _ in range(50):
            outbox.show(b"x" * 100, replaces=False)
            await settled()
        assert len(peer.got) == 50
        assert peer.closed == 0

    asyncio.run(story())
