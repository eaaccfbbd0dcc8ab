"""Sockets leave a few at a time when a process ends."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from contracts.sockets import Close
from realtime import drain, serve
from realtime.outbox import Outbox
from tests.support.asgi_sockets import Server, entered
from tests.support.engine import settled
from tests.support.virtual_time import told_at_once


class Peer:
    """A client that reads all it is sent, or nothing."""

    def __init__(self, *, reads: bool = True) -> None:
        self.got: list[object] = []
        self.closed_at = 0.0
        self.may_read = asyncio.Event()
        if reads:
            self.may_read.set()
        self.outbox = Outbox(self.send, 1000, self.on_close)

    async def send(self, event):
        await self.may_read.wait()
        self.got.append(event.get("text", event.get("code")))

    def on_close(self):
        self.closed_at = asyncio.get_running_loop().time()


@pytest.fixture
def run():
    """Runs a coroutine function on a loop whose clock jumps."""
    return lambda coroutine: told_at_once(coroutine())


async def sent_away(peers: list[Peer], per_s: int, within_s: float = 60.0) -> float:
    """Send them away. Returns how long that took."""
    now = asyncio.get_running_loop().time
    began = now()
    await drain.send_away({peer.outbox for peer in peers}, per_s, began + within_s)
    await settled()
    return now() - began


# -- the pace ------------------------------------------------------------------------------------


def test_sockets_are_closed_in_even_groups(run):
    async def crowd():
        peers = [Peer() for _ in range(100)]
        assert await sent_away(peers, per_s=200) > 0.4
        assert all(peer.got == [1012] for peer in peers)
        groups = Counter(round(peer.closed_at, 2) for peer in peers)
        assert max(groups.values()) <= 20
        times = sorted(peer.closed_at for peer in peers)
        assert times[-1] - times[0] > 0.35

    run(crowd)


def test_few_a_second_leave_one_by_one(run):
    async def few():
        peers = [Peer() for _ in range(3)]
        assert await sent_away(peers, per_s=8) > 0.25
        first, second, third = sorted(peer.closed_at for peer in peers)
        assert min(second - first, third - second) > 0.1

    run(few)


def test_more_than_there_is_time_for_leave_faster_and_evenly(run):
    async def crowd():
        peers = [Peer() for _ in range(1000)]
        assert await sent_away(peers, per_s=10, within_s=0.5) < 2
        assert {code for peer in peers for code in peer.got} == {1012}
        times = sorted(peer.closed_at for peer in peers)
        assert times[-1] - times[0] > 0.2

    run(crowd)


def test_when_the_time_is_over_all_leave_at_once(run):
    async def crowd():
        peers = [Peer() for _ in range(1000)]
        assert await sent_away(peers, per_s=10, within_s=-1) < 1

    run(crowd)


def test_the_defaults_leave_time_for_what_comes_after():
    """All of it, without a socket closing in time: mailboxes, sockets, storage, the last peers."""
    ends = (drain.SOCKETS_S, drain.STORAGE_S, serve.LINGER_S, serve.LAST_ANSWERS_S)
    assert sum(ends) < serve.END_S
    assert 10 + serve.END_S < 30


# -- the sockets ---------------------------------------------------------------------------------


def test_what_is_queued_leaves_before_the_close(run):
    async def queued():
        peer = Peer(reads=False)
        for text in (b"one", b"two"):
            peer.outbox.send(text)
        await sent_away([peer], per_s=250)
        peer.outbox.send(b"too late")
        peer.may_read.set()
        await settled()
        assert peer.got == ["one", "two", 1012]

    run(queued)


def test_one_that_never_reads_holds_up_nobody(run):
    async def deaf():
        peers = [Peer(reads=number % 2 == 0) for number in range(20)]
        for peer in peers:
            peer.outbox.send(b"said")
        assert await sent_away(peers, per_s=250) < 1
        assert [peer.got for peer in peers[::2]] == [["said", 1012]] * 10
        assert [peer.got for peer in peers[1::2]] == [[]] * 10
        for peer in peers:
            peer.outbox.abandon()

    run(deaf)


def test_a_socket_that_is_closing_already_keeps_its_code(run):
    async def closing():
        peer = Peer()
        peer.outbox.close(Close.FLOOD)
        await sent_away([peer], per_s=250)
        assert peer.got == [1008]

    run(closing)


def test_all_that_are_open_are_known_and_gone_ones_are_not(story, clock):
    async def counted(serving):
        alice, stranger = await entered(serving, clock), Server(serving)
        await settled()
        assert len(serving.sockets) == 2
        for server in (alice, stranger):
            server.happens("websocket.disconnect")
            await server.task
        assert serving.sockets == set()

    story(counted)
