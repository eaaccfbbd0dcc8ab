"""The client before several realtime processes, of which one may be at fault."""

import asyncio
import re
from contextlib import ExitStack

import pytest

from contracts.client import RealtimeClient
from contracts.errors import Code, RoomError
from contracts.http import CloseRoom, RegisterRequest
from contracts.transport import KeepAliveTransport
from tests.support import faulty_realtime as faults
from tests.support.faulty_realtime import FaultyRealtime, admission, answer, says
from tests.support.virtual_time import MOMENT_S, held_clock

ALICE = RegisterRequest("p_1", "pt_1", "alice", "player", is_host=True)
ROOM = "ROOM23"
NO_STORAGE = says(faults.refusal("503 Service Unavailable", "STORAGE_UNAVAILABLE"))
OTHER_KEY = says(faults.refusal("401 Unauthorized", "UNAUTHORIZED"))
TRY_S, TOTAL_S = 0.3, 0.65
CONNECT_S = 60.0


def well(connection, server):
    """Admits to any room, and says 200 to whatever else is asked."""
    asked = re.match(rb"POST /parties/leet99/(\w+)/", server.requests[-1])
    said = admission(asked[1].decode()) if asked else b'{"status": "ok"}'
    connection.sendall(answer("200 OK", said))


def client_of(*urls):
    return RealtimeClient(
        urls,
        "a-service-key",
        transport=KeepAliveTransport(CONNECT_S),
        try_timeout_s=TRY_S,
        total_timeout_s=TOTAL_S,
        calls_max=10,
    )


async def register(client, room_id=ROOM):
    return await client.register("leet99", room_id, ALICE)


@pytest.fixture
def processes():
    """Three that are well."""
    with ExitStack() as stack:
        yield [stack.enter_context(FaultyRealtime(well)) for _ in range(3)]


def asked(processes):
    return [len(process.requests) for process in processes]


@pytest.fixture
def owner(run, processes):
    """The process that is asked about ROOM first."""
    run(register(client_of(*(one.url for one in processes))))
    (owner,) = (one for one in processes if one.requests)
    owner.requests.clear()
    return owner


@pytest.fixture
def client(processes):
    return client_of(*(one.url for one in processes))


def test_the_calls_about_a_room_meet_in_one_process(run, client, processes, owner):
    async def calls():
        for _ in range(3):
            await register(client)
        owner.fault = says(answer("200 OK", b'{"ok": true}'))
        await client.control("leet99", ROOM, CloseRoom())

    run(calls())
    assert len(owner.requests) == sum(asked(processes)) == 4


def test_rooms_are_spread_over_all(run, client, processes):
    async def calls():
        for number in range(60):
            await register(client, f"ROOM{number:04}")

    run(calls())
    assert sum(asked(processes)) == 60
    assert min(asked(processes)) >= 5


@pytest.mark.parametrize(
    "fault",
    [faults.hangs_up, faults.GARBAGE["html"], NO_STORAGE, OTHER_KEY],
    ids=["hangs up", "garbage", "without storage", "with another key"],
)
def test_the_second_try_goes_to_another_at_once(held, client, processes, owner, fault):
    """No time passes: the clock stands still."""
    owner.fault = fault
    assert held(register(client)).room_id == ROOM
    assert sorted(asked(processes)) == [0, 1, 1]


def test_the_second_try_goes_to_another_when_the_first_is_over(held, client, processes, owner):
    async def story():
        clock, call = held_clock(), asyncio.create_task(register(client))
        await clock.until(lambda: owner.requests)
        await clock.passes(TRY_S - 3 * MOMENT_S)
        assert sum(asked(processes)) == 1
        await clock.passes(3 * MOMENT_S)
        return await call

    owner.fault = faults.silent
    assert held(story()).room_id == ROOM
    assert sorted(asked(processes)) == [0, 1, 1]


def test_a_key_that_one_refuses_is_logged_with_its_address(run, client, owner, caplog):
    owner.fault = OTHER_KEY
    run(register(client))
    assert f"{owner.url.removeprefix('http://')}: it refused our service key" in caplog.text


def test_a_key_that_all_refuse_is_a_bad_gateway(run, client, processes):
    for process in processes:
        process.fault = OTHER_KEY
    with pytest.raises(RoomError) as caught:
        run(register(client))
    assert caught.value.status == 502
    assert sorted(asked(processes)) == [0, 1, 1]


def test_one_that_is_gone_is_not_missed(run, processes):
    with faults.refused() as gone:
        client = client_of(gone, processes[0].url)
        for _ in range(20):
            assert run(register(client)).room_id == ROOM
        assert run(client.states()) == ["unreachable", "ok"]
    assert len(processes[0].requests) == 21


def test_when_all_are_gone_it_is_unavailable(run):
    with faults.refused() as one, faults.refused() as other:
        with pytest.raises(RoomError) as caught:
            run(register(client_of(one, other)))
        assert caught.value.code is Code.REALTIME_UNAVAILABLE
        assert run(client_of(one, other).states()) == ["unreachable"] * 2


def test_silence_of_all_takes_no_longer_than_the_total(held, client, processes):
    async def story():
        clock, call = held_clock(), asyncio.create_task(register(client))
        await clock.until(lambda: sum(asked(processes)) == 1)
        await clock.passes(TRY_S)
        await clock.until(lambda: sum(asked(processes)) == 2)
        await clock.ends_after(call, TRY_S)
        assert clock.time() < TOTAL_S
        await call

    for process in processes:
        process.fault = faults.silent
    with pytest.raises(RoomError) as caught:
        held(story())
    assert caught.value.code is Code.REALTIME_TIMEOUT
    assert sorted(asked(processes)) == [0, 1, 1]
