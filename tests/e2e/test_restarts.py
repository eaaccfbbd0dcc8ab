"""A realtime service that is asked to stop, and the crowd that comes back to the next one."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket as sockets
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scripts.lib.bootstrap import ROOT
from tests.e2e.conftest import TROUBLE, places
from tests.support.broken_realtime import VICTIM
from tests.support.crowd import text_frame
from tests.support.returning import DELAY_MAX_S, Crowd, allow_sockets
from tests.support.servers import PATIENCE_S, bare_environ, server, until
from tests.support.site import Site, player, together

ROOM_SIZE = 20
SOCKETS, LONG_SOCKETS, PER_S = 300, 10_000, 250
RETURNERS, STRANGERS = 300, 30  # as many to a place for strangers as in the long round
LONG_RETURNERS, LONG_STRANGERS = 10_000, 1000
HANGS_S = 300.0  # long before, everybody is there
BROKEN = ("-m", "tests.support.broken_realtime")
numbers = itertools.count(1)


@pytest.fixture
def house(any_migrated, tmp_path, canary):
    """Starts a realtime service alone, with other settings or another program."""
    with ExitStack() as stack:

        def start(*program, **environ):
            database = stack.enter_context(any_migrated.copy(tmp_path))
            realtime = server("realtime", {**database.environ, **places(), **environ}, tmp_path)
            realtime = realtime.that_runs(*program) if program else realtime
            return canary.hears(Site(stack.enter_context(realtime), database))

        yield start


def members(house, count):
    """So many players, in rooms of ROOM_SIZE: the URL and the token of each."""

    def fill(room_id):
        crowd = [player("alice", isHost=True)]
        crowd += [player(f"spectator {n}", role="spectator") for n in range(1, ROOM_SIZE)]
        for one in crowd:
            assert house.register(room_id, one).status_code == 200
        url = f"{house.realtime.url}/parties/leet99/{room_id}"
        return [(url, one["playerToken"]) for one in crowd]

    rooms = [f"room-{next(numbers)}" for _ in range(count // ROOM_SIZE)]
    return [place for filled in together(fill, rooms, at_once=16) for place in filled]


def stopped(realtime):
    """Wait for the end that was asked for: the exit status. One that takes too long, and is ended
    by its own alarm, is no success."""
    realtime.wait()
    assert not TROUBLE.search(realtime.said), realtime.said
    return realtime.leader.poll()


# -- the drain -----------------------------------------------------------------------------------


def test_sockets_are_sent_away_and_all_come_back(house, long, tell):
    """That few leave at a time is seen on a clock that jumps: tests/realtime/test_drain.py."""
    count = LONG_SOCKETS if long else SOCKETS
    house = house(*BROKEN, "WaitsInside", DRAIN_TIMEOUT_S="60")
    allow_sockets(count)

    async def story():
        crowd = Crowd(house.realtime.host, house.realtime.port)
        try:
            crowd.send_in(await asyncio.to_thread(members, house, count))
            await crowd.is_there(HANGS_S)
            said, status = await asyncio.to_thread(end_in_a_chat, house)
            departures = sorted(crowd.departures)
            assert len(departures) == count
            await asyncio.to_thread(house.realtime.up)
            await crowd.is_there(HANGS_S)
        finally:
            await crowd.stop()
        return departures, said, status

    departures, said, status = asyncio.run(story())
    assert Counter(one.code for one in departures) == {1012: count}
    assert status == 0
    lines = house.kept("talk").state["state"]["talk"]["chat"]
    assert said
    assert said <= {line["text"] for line in lines}
    left_s = departures[-1].at - departures[0].at
    tell(f"{count} sockets left within {left_s:.1f} s")


def end_in_a_chat(house):
    """Ask it to stop while somebody chats and somebody joins: what was announced, its status. It
    does not end before the one who joins is kept."""
    host = player("alice", isHost=True)
    house.register("talk", host)
    with house.socket("talk") as socket, ThreadPoolExecutor() as pool:
        socket.join(host["playerToken"])
        chatting = pool.submit(chat, socket)
        until(lambda: "CHAT_APPEND" in socket.kinds)
        try:
            status = end_in_a_join(house, pool)
        finally:
            house.realtime.kill()  # else the chat would go on
        return chatting.result(), status


def end_in_a_join(house, pool):
    """Ask it to stop while somebody joins: its status."""
    assert house.http.get(f"{house.realtime.url}/readyz").status_code == 200
    with house.database.slow_seat(VICTIM) as let_go:
        joining = pool.submit(house.register, "talk", player(VICTIM, role="spectator"))
        until(house.database.writing)
        ends_politely(house)
        assert not joining.done()
        let_go()
        assert joining.result().status_code == 200
        return stopped(house.realtime)


def ends_politely(house):
    """At once it is not ready, and takes no more sockets, while it still has all it had."""
    house.realtime.ask_to_stop()
    until(lambda: not house.realtime.ready())
    ready = house.http.get(f"{house.realtime.url}/readyz")
    assert (ready.status_code, [*ready.json()["checks"]]) == (503, ["draining"])
    assert house.http.get(f"{house.realtime.url}/healthz").status_code == 200
    with pytest.raises(InvalidStatus) as refused:
        house.socket("talk")
    assert refused.value.response.status_code == 503
    joining = house.register("talk", player("bob"))
    assert joining.status_code == 503
    assert joining.json()["error"]["code"] == "REALTIME_UNAVAILABLE"


def chat(socket):
    """Say something again and again until the socket is closed. Returns what was heard of it."""
    for number in itertools.count():
        try:
            socket.send("SEND_CHAT", {"text": f"line {number}"})
            socket.receive()
            time.sleep(0.05)
        except ConnectionClosed:
            break
    socket.closed()
    assert socket.code == 1012
    lines = [one["payload"]["message"] for one in socket.frames if one["type"] == "CHAT_APPEND"]
    return {line["text"] for line in lines if line["kind"] == "user"}


def test_one_that_reads_nothing_does_not_hold_it(house):
    """It asked for views until no more went out to it; the service can't even say good-bye."""
    house = house(RATE_LIMITS="off", SOCKET_PATIENCE_S="5")
    url, token = members(house, ROOM_SIZE)[0]
    with sockets.socket() as deaf:
        deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        deaf.connect((house.realtime.host, house.realtime.port))
        deaf.sendall(handshake(url))
        deaf.recv(1024)
        deaf.sendall(text_frame({"playerToken": token}, "JOIN_ROOM") * 4000)
        time.sleep(1)  # nobody is told when its buffers are full
        house.realtime.ask_to_stop()
        assert stopped(house.realtime) == 0


def handshake(url):
    return (
        f"GET {urlsplit(url).path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    ).encode()


def test_storage_that_hangs_does_not_hold_it(house):
    house = house(*BROKEN, "Hangs", DRAIN_TIMEOUT_S="0.5", COMMIT_DEADLINE_S="2")
    places = members(house, ROOM_SIZE)
    with ThreadPoolExecutor() as pool:
        joining = pool.submit(house.register, places[0][0].rsplit("/", 1)[1], player("mallory"))
        time.sleep(0.3)
        house.realtime.ask_to_stop()
        assert stopped(house.realtime) == 0
        assert joining.result().status_code == 503


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(house, number):
    """Its storage blocks the event loop, so that nothing but the alarm can end it: the one that
    the signal sets, for its own would come later than this test waits."""
    stuck = house(DRAIN_TIMEOUT_S=str(2 * PATIENCE_S)).realtime
    stuck.kill()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.broken_realtime", "BlocksTheEnd"],
        cwd=ROOT,
        env={**bare_environ(), **stuck.environ, "GREENROOM_TIER": "realtime"},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(stuck.ready)
        process.send_signal(signal.SIGTERM)
        until(lambda: not stuck.ready())
        process.send_signal(number)
        process.wait(PATIENCE_S)
    finally:
        process.kill()


# -- the storm -----------------------------------------------------------------------------------


def test_a_crowd_comes_back_to_a_service_that_was_killed(house, long, tell):
    """All of them at one moment; who finds no place is refused before the upgrade, and tries
    again. The places are few, so that most are refused."""
    count, strangers = (LONG_RETURNERS, LONG_STRANGERS) if long else (RETURNERS, STRANGERS)
    allow_sockets(count)
    house = house(UNAUTHENTICATED_SOCKETS=str(strangers))

    async def storm():
        crowd = Crowd(house.realtime.host, house.realtime.port)
        try:
            places = await asyncio.to_thread(members, house, count)
            began = time.monotonic()
            crowd.send_in(places)
            await crowd.is_there(HANGS_S)
            first_s = max(crowd.arrivals) - began
            first = dict(crowd.refusals)
            crowd.refusals.clear()
            began = time.monotonic()
            await asyncio.to_thread(house.realtime.kill)
            ready_s = await asyncio.to_thread(house.realtime.up)
            await crowd.is_there(HANGS_S)
            back_s = max(crowd.arrivals) - began - ready_s
            return first, first_s, ready_s, back_s, dict(crowd.refusals)
        finally:
            await crowd.stop()

    first, first_s, ready_s, back_s, refused = asyncio.run(storm())
    if long:  # they begin one after the other, and may wait long for their next try
        assert back_s <= 2 * first_s + DELAY_MAX_S
    tell(
        f"{count} clients, {strangers} places: ready after {ready_s:.1f} s, all back "
        f"{back_s:.1f} s later (at first {first_s:.1f} s), refused by status {refused}; "
        f"at the first arrival {first}"
    )
