"""The keepalive: who is gone is found, and who is there is not bothered."""

from __future__ import annotations

import asyncio

import pytest

from realtime.websocket.keepalive import SWEEP_S, Keepalive
from tests.support.virtual_time import told_at_once

INTERVAL_S = TIMEOUT_S = 20.0
NOTICED_WITHIN_S = INTERVAL_S + TIMEOUT_S + 3 * SWEEP_S


class Socket:
    """One whose client answers pings until it `vanishes`."""

    def __init__(self, keepalive: Keepalive) -> None:
        self.heard, self.due, self.patience_until = False, 0.0, 0.0
        self.pings: list[float] = []
        self.pinged = asyncio.Event()
        self.given_up: float = 0
        self.is_there = True
        self._keepalive = keepalive
        keepalive.watch(self)

    def ping(self) -> None:
        self.pings.append(now())
        self.pinged.set()
        self.heard = self.is_there

    def give_up(self) -> None:
        assert not self.given_up
        self.given_up = now()


def now() -> float:
    return asyncio.get_running_loop().time()


def keepalive() -> Keepalive:
    return Keepalive(INTERVAL_S, TIMEOUT_S)


@pytest.mark.parametrize("silent_after_s", [0, 1, 7, 11, 19, 20.3, 27, 33, 48, 55])
def test_a_silence_is_noticed_in_time_whenever_it_begins(silent_after_s):
    async def story():
        socket = Socket(keepalive())
        await asyncio.sleep(silent_after_s)
        socket.is_there = False
        await asyncio.sleep(2 * NOTICED_WITHIN_S)
        assert socket.given_up - silent_after_s <= NOTICED_WITHIN_S
        assert socket.given_up - socket.pings[-1] >= TIMEOUT_S

    told_at_once(story())


def test_who_answers_a_ping_and_vanishes_is_noticed_as_soon():
    async def story():
        socket = Socket(keepalive())
        await socket.pinged.wait()
        answered_at, socket.is_there = socket.pings[-1], False
        await asyncio.sleep(2 * NOTICED_WITHIN_S)
        assert socket.given_up - answered_at <= NOTICED_WITHIN_S

    told_at_once(story())


def test_who_answers_late_is_not_given_up():
    async def story():
        socket = Socket(keepalive())
        socket.is_there = False
        await socket.pinged.wait()
        await asyncio.sleep(TIMEOUT_S - 2 * SWEEP_S)
        socket.heard = socket.is_there = True
        await asyncio.sleep(100)
        assert not socket.given_up

    told_at_once(story())


def test_who_talks_is_not_pinged():
    async def story():
        socket = Socket(keepalive())
        for _ in range(100):
            socket.heard = True
            await asyncio.sleep(5)
        assert (socket.pings, socket.given_up) == ([], 0)

    told_at_once(story())


def test_who_listens_is_pinged_once_in_an_interval_or_so():
    async def story():
        socket = Socket(keepalive())
        await asyncio.sleep(1000)
        assert 1000 / (INTERVAL_S + 1) < len(socket.pings) < 1000 / (INTERVAL_S * 0.75)

    told_at_once(story())


def test_sockets_that_came_together_are_not_pinged_together():
    async def story():
        alive = keepalive()
        sockets = [Socket(alive) for _ in range(1000)]
        await asyncio.sleep(INTERVAL_S * 10)
        moments = {ping for socket in sockets for ping in socket.pings}
        busiest = max(sum(moment in socket.pings for socket in sockets) for moment in moments)
        assert busiest < 1000 * 0.3

    told_at_once(story())


def test_one_that_is_forgotten_is_left_alone_and_the_last_one_stops_the_timer():
    async def story():
        alive = keepalive()
        sockets = [Socket(alive) for _ in range(2)]
        for socket in sockets:
            alive.forget(socket)
            alive.forget(socket)
        with pytest.raises(RuntimeError, match="nothing is going to happen"):
            await asyncio.Event().wait()
        assert [socket.pings for socket in sockets] == [[], []]

    with pytest.raises(RuntimeError, match="nothing is going to happen"):
        told_at_once(story())


def test_without_an_interval_nobody_is_pinged():
    async def story():
        socket = Socket(Keepalive(float("inf"), float("inf")))
        await asyncio.sleep(10_000)
        assert (socket.pings, socket.given_up) == ([], 0)

    told_at_once(story())


def test_a_socket_that_cannot_be_pinged_keeps_no_other_from_being_watched():
    async def story():
        watch = keepalive()
        broken, socket = Socket(watch), Socket(watch)
        setattr(broken, "ping", _breaks)  # noqa: B010
        socket.is_there = False
        await asyncio.sleep(2 * NOTICED_WITHIN_S)
        assert socket.given_up

    told_at_once(story())


def _breaks() -> None:
    raise RuntimeError("the handler is closed")
