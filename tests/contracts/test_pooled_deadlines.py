"""A call over a pooled connection has its own deadline, whatever became of the connection."""

import asyncio
import threading
from functools import partial

import pytest

from contracts.client import RealtimeClient
from contracts.errors import Code, RoomError
from contracts.http import RegisterRequest
from contracts.transport import KeepAliveTransport
from tests.support import faulty_realtime as faults
from tests.support.faulty_realtime import FaultyRealtime, admission, answer
from tests.support.virtual_time import HANGS_S, held_clock

ALICE = RegisterRequest("p_1", "pt_1", "alice", "player", is_host=True)
TRY_S, TOTAL_S = 1.0, 2.1
CONNECT_S = 60.0
SLOW_S = 0.66  # once fits into a try; twice does not
WELL = answer("200 OK", admission())


def client_of(server):
    transport = KeepAliveTransport(CONNECT_S)
    return RealtimeClient(
        [server.url],
        "a-service-key",
        transport=transport,
        try_timeout_s=TRY_S,
        total_timeout_s=TOTAL_S,
        calls_max=10,
    )


async def register(client):
    return await client.register("leet99", "ROOM23", ALICE)


def has_asked(server, times: int) -> bool:
    return len(server.requests) == times


def in_turn(*requests):
    """The first request meets the first fault, and so on; the last fault meets all that follow."""

    def fault(connection, server):
        requests[min(len(server.requests), len(requests)) - 1](connection, server)

    return fault


class Slow:
    """Faults that last until the story lets them go on."""

    def __init__(self):
        self._may_go_on = threading.Semaphore(0)

    def answers(self, connection, server):
        if self._may_go_on.acquire(timeout=HANGS_S):
            connection.sendall(WELL)

    def hangs_up(self, connection, server):
        if self._may_go_on.acquire(timeout=HANGS_S):
            faults.hangs_up(connection, server)

    async def lets_go(self, server, number):
        """The request of this number is heard; SLOW_S later one of those who wait goes on."""
        clock = held_clock()
        await clock.until(lambda: len(server.requests) == number)
        await clock.passes(SLOW_S)
        self._may_go_on.release()

    def let_all_go(self):
        self._may_go_on.release(10)


class TestAPooledConnectionThatTheServerClosedUnseen:
    """The loop does not turn between the calls, so it has not heard of the close."""

    def test_costs_its_call_no_time(self, held):
        with FaultyRealtime(faults.closes_after_each) as server:
            client = client_of(server)
            held(register(client))
            assert held(register(client)).room_id == "ROOM23"
        assert server.connections == 2

    def test_leaves_the_new_connection_the_rest_of_the_time(self, held):
        slow = Slow()

        async def story():
            going = asyncio.create_task(slow.lets_go(server, 2))
            reply = await register(client)
            await going
            return reply

        with FaultyRealtime(in_turn(faults.closes_after_each, slow.answers)) as server:
            client = client_of(server)
            held(register(client))
            assert held(story()).room_id == "ROOM23"
        assert server.connections == 2

    def test_does_not_prolong_the_call(self, held):
        async def both_tries_end():
            clock = held_clock()
            for number in (2, 3):
                await clock.until(partial(has_asked, server, number))
                await clock.passes(TRY_S)

        async def story():
            ending = asyncio.create_task(both_tries_end())
            try:
                await register(client)
            finally:
                await ending

        fault = in_turn(faults.closes_after_each, faults.silent)
        with FaultyRealtime(fault) as server:
            client = client_of(server)
            held(register(client))
            with pytest.raises(RoomError) as caught:
                held(story())
        assert caught.value.code is Code.REALTIME_TIMEOUT


def test_the_second_try_does_not_end_with_the_first(held):
    """The first try waits for a dying connection, then in vain for a new one."""
    slow = Slow()
    fault = in_turn(
        lambda connection, _: connection.sendall(WELL), slow.hangs_up, slow.answers, slow.answers
    )

    async def story():
        clock, call = held_clock(), asyncio.create_task(register(client))
        await slow.lets_go(server, 2)
        await clock.until(lambda: len(server.requests) == 3)
        await clock.passes(TRY_S - SLOW_S)
        await clock.until(lambda: len(server.requests) == 4)
        await clock.passes(SLOW_S)
        assert not call.done()
        slow.let_all_go()
        return await call

    with FaultyRealtime(fault) as server:
        client = client_of(server)
        held(register(client))
        assert held(story()).room_id == "ROOM23"
    assert (len(server.requests), server.connections) == (4, 3)


def test_a_call_does_not_end_with_the_one_before_it_on_the_same_connection(held):
    slow = Slow()

    async def story():
        for number in (1, 2, 3):
            call = asyncio.create_task(register(client))
            await slow.lets_go(server, number)
            assert (await call).room_id == "ROOM23"

    with FaultyRealtime(slow.answers) as server:
        client = client_of(server)
        held(story())
    assert server.connections == 1


def dies_unheard():
    """Every connection answers once; then it is dead, and nobody says so."""
    used = set()

    def fault(connection, server):
        if connection in used:
            server.closing.wait(HANGS_S)
        else:
            used.add(connection)
            connection.sendall(WELL)

    return fault


def test_a_dead_pooled_connection_takes_the_others_with_it(held):
    """A host that is gone answers on none of them: the second try opens a new one."""

    async def story():
        clock = held_clock()
        await asyncio.gather(*(register(client) for _ in range(3)))
        assert server.connections == 3
        call = asyncio.create_task(register(client))
        await clock.until(lambda: len(server.requests) == 4)
        await clock.passes(TRY_S)
        return await call

    with FaultyRealtime(dies_unheard()) as server:
        client = client_of(server)
        assert held(story()).room_id == "ROOM23"
        assert server.connections == 4
