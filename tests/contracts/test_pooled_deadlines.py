"""A call over a pooled connection has its own deadline, whatever became of the connection."""

import asyncio
import time

import pytest

from contracts.client import RealtimeClient
from contracts.errors import Code, RoomError
from contracts.http import RegisterRequest
from contracts.transport import KeepAliveTransport
from tests.support import faulty_realtime as faults
from tests.support.faulty_realtime import FaultyRealtime, admission, answer

ALICE = RegisterRequest("p_1", "pt_1", "alice", "player", is_host=True)
TRY_S, TOTAL_S = 1.0, 2.1
SLOW_S = 0.66  # once fits into a try; twice does not
WELL = answer("200 OK", admission())


def client_of(server):
    transport = KeepAliveTransport(TRY_S)
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


def in_turn(*requests):
    """The first request meets the first fault, and so on; the last fault meets all that follow."""

    def fault(connection, server):
        requests[min(len(server.requests), len(requests)) - 1](connection, server)

    return fault


def slow(connection, server):
    if not server.closing.wait(SLOW_S):
        connection.sendall(WELL)


def slow_to_hang_up(connection, server):
    if not server.closing.wait(SLOW_S):
        faults.hangs_up(connection, server)


class TestAPooledConnectionThatTheServerClosedUnseen:
    """The loop does not turn between the calls, so it has not heard of the close."""

    def test_costs_its_call_next_to_nothing(self, run):
        with FaultyRealtime(faults.closes_after_each) as server:
            client = client_of(server)
            run(register(client))
            before = time.monotonic()
            assert run(register(client)).room_id == "ROOM23"
        assert time.monotonic() - before < TRY_S
        assert server.connections == 2

    def test_leaves_the_new_connection_the_rest_of_the_time(self, run):
        fault = in_turn(faults.closes_after_each, slow)
        with FaultyRealtime(fault) as server:
            client = client_of(server)
            run(register(client))
            assert run(register(client)).room_id == "ROOM23"
        assert server.connections == 2

    def test_does_not_prolong_the_call(self, run):
        fault = in_turn(faults.closes_after_each, faults.silent)
        with FaultyRealtime(fault) as server:
            client = client_of(server)
            run(register(client))
            before = time.monotonic()
            with pytest.raises(RoomError) as caught:
                run(register(client))
        assert caught.value.code is Code.REALTIME_TIMEOUT
        assert 2 * TRY_S - 0.05 < time.monotonic() - before < TOTAL_S + 0.2


def test_the_second_try_does_not_end_with_the_first(run):
    """The first try waits for a dying connection, then in vain for a new one."""
    fault = in_turn(lambda connection, _: connection.sendall(WELL), slow_to_hang_up, slow, slow)
    with FaultyRealtime(fault) as server:
        client = client_of(server)
        run(register(client))
        before = time.monotonic()
        assert run(register(client)).room_id == "ROOM23"
    assert TRY_S < time.monotonic() - before < TOTAL_S
    assert (len(server.requests), server.connections) == (4, 3)


def test_a_call_does_not_end_with_the_one_before_it_on_the_same_connection(run):
    with FaultyRealtime(slow) as server:
        client = client_of(server)
        for _ in range(3):
            assert run(register(client)).room_id == "ROOM23"
    assert server.connections == 1


def dies_unheard():
    """Every connection answers once; then it is dead, and nobody says so."""
    used = set()

    def fault(connection, server):
        if connection in used:
            server.closing.wait(TOTAL_S)
        else:
            used.add(connection)
            connection.sendall(WELL)

    return fault


def test_a_dead_pooled_connection_takes_the_others_with_it(run):
    """A host that is gone answers on none of them: the second try opens a new one."""

    async def three_at_once(client):
        await asyncio.gather(*(register(client) for _ in range(3)))

    with FaultyRealtime(dies_unheard()) as server:
        client = client_of(server)
        run(three_at_once(client))
        assert server.connections == 3
        assert run(register(client)).room_id == "ROOM23"
        assert server.connections == 4
