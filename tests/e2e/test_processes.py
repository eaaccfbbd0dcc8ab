"""Two realtime processes on one PostgreSQL and one Redis, and nobody sticks to either."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle

import pytest

from config.env import DEV_SERVICE_KEY
from tests.support.servers import free_port, server
from tests.support.services import need_redis
from tests.support.site import Site, Socket, player, refusal, together
from tests.support.templates import postgresql_tables

STORMS, LONG_STORMS = 5, 20


QUICK = {  # so that a test need not wait long for what takes its time
    "PROCESS_LIVES_S": "1",
    "VERSIONS_INTERVAL_S": "0.5",
    "HOST_LOST_GRACE_S": "0.5",
}


@contextmanager
def two(canary, folder, **environ):
    """Two sites, each of one of the processes."""
    with postgresql_tables().copy(folder) as database, ExitStack() as stack:
        shared = {**database.environ, "REDIS_URL": need_redis(), "RATE_LIMITS": "off", **environ}
        ports = [{"REALTIME_PORT": str(free_port())} for _ in "12"]
        servers = [server("realtime", {**shared, **port}, folder) for port in ports]
        with ThreadPoolExecutor() as pool:
            both = [*pool.map(stack.enter_context, servers)]
        yield [canary.hears(Site(one, database)) for one in both]


@pytest.fixture(scope="module")
def pair(canary, tmp_path_factory):
    with two(canary, tmp_path_factory.mktemp("pair")) as sites:
        yield sites


@pytest.fixture
def quick_pair(canary, tmp_path):
    with two(canary, tmp_path, **QUICK) as sites:
        yield sites


def created(site: Site, room_id: str, username: str = "alice", **settings) -> dict:
    host = player(username, isHost=True, settings=settings)
    assert site.register(room_id, host).status_code == 200
    return host


def entered(site: Site, room_id: str, one: dict) -> Socket:
    socket = site.socket(room_id)
    socket.join(one["playerToken"])
    return socket


def seqs(socket: Socket) -> list[int]:
    return [frame["seq"] for frame in socket.frames if "seq" in frame]


def test_sockets_at_both_see_the_same(pair):
    here, there = pair
    alice = created(here, "TWO001")
    bob = player("bob")
    assert there.register("TWO001", bob).status_code == 200
    with entered(here, "TWO001", alice) as first, entered(there, "TWO001", bob) as second:
        for number, socket in zip(range(4), cycle([first, second])):
            socket.send("SEND_CHAT", {"text": f"line {number}"})
            for one in (first, second):
                one.hear(f"line {number}")
        assert seqs(first)[-4:] == seqs(second)[-4:]
        second.send("LEAVE_ROOM")
        assert second.closed() == 1000
        assert first.see("bob")


@pytest.mark.parametrize("storm", range(LONG_STORMS))
def test_300_joiners_at_two_processes_fill_99_places(pair, storm, long):
    if storm >= STORMS and not long:
        pytest.skip("only with --long: one more of the same")
    room_id = f"STORM{storm}"
    created(pair[0], room_id)
    watchers = [player(f"watcher{n}", role="spectator") for n in range(2)]
    for site, one in zip(pair, watchers, strict=True):
        assert site.register(room_id, one).status_code == 200
    joiners = [(site, player(f"joiner{n}")) for n, site in zip(range(300), cycle(pair))]
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(entered(site, room_id, one))
            for site, one in zip(pair, watchers, strict=True)
        ]
        answers = together(lambda one: one[0].register(room_id, one[1]), joiners)
        refused = [refusal(one) for one in answers if one.status_code != 200]
        assert refused == [(409, "ROOM_FULL")] * 202
        sockets[0].send("SEND_CHAT", {"text": "that was all"})
        for socket in sockets:
            socket.hear("that was all")
        first, second = map(seqs, sockets)
        for seen in (first, second):
            assert seen == [*range(seen[0], seen[-1] + 1)], "a gap"
        assert first[-1] == second[-1]
    assert len(pair[0].kept(room_id).players) == 101
    journal = pair[0].kept(room_id).journal
    assert journal == [*range(1, len(journal) + 1)]
    for site in pair:
        state = site.http.get(f"{site.realtime.url}/parties/leet99/{room_id}/state").json()
        assert state["playerCounts"]["players"] == 99


def test_a_signal_reaches_sockets_at_both(pair):
    here, there = pair
    names = ["alice", "bob"]
    players = [player(name, isHost=name == "alice") for name in names]
    for one in players:
        url = f"{here.realtime.url}/parties/chat/SIGNAL/register"
        headers = {"Authorization": f"Bearer {DEV_SERVICE_KEY}"}
        assert here.http.post(url, json=one, headers=headers).status_code == 200
    with here.socket("SIGNAL", "chat") as first, there.socket("SIGNAL", "chat") as second:
        for socket, one in zip((first, second), players, strict=True):
            socket.join(one["playerToken"])
        first.see("bob")
        for number, speaker in enumerate((first, second)):
            speaker.send("chat.signal", {"data": number})
            for socket in (first, second):
                assert socket.next("chat.signalled")["payload"]["data"] == number


def test_a_killed_process_leaves_no_ghosts(quick_pair):
    here, there = quick_pair
    alice, bob = created(here, "GHOST1"), player("bob")
    assert there.register("GHOST1", bob).status_code == 200
    with entered(here, "GHOST1", alice), entered(there, "GHOST1", bob) as second:
        here.realtime.kill()
        while not second.next("ROOM_SNAPSHOT")["payload"]["me"]["isHost"]:
            pass
    assert [*there.kept("GHOST1").state["connected"].values()] in ([], [[bob["playerId"]]])
    here.realtime.up()


def test_a_process_that_was_stopped_shows_what_it_missed_and_loses_no_player(quick_pair):
    here, there = quick_pair
    alice, bob = created(here, "ZOMBIE"), player("bob")
    assert there.register("ZOMBIE", bob).status_code == 200
    with entered(here, "ZOMBIE", alice) as first, entered(there, "ZOMBIE", bob) as second:
        os.killpg(here.realtime.leader.pid, signal.SIGSTOP)
        try:
            while not second.next("ROOM_SNAPSHOT")["payload"]["me"]["isHost"]:
                pass  # until it is taken for dead, and bob becomes host
            second.send("SEND_CHAT", {"text": "are you there?"})
            second.hear("are you there?")
        finally:
            os.killpg(here.realtime.leader.pid, signal.SIGCONT)
        while "are you there?" not in said(first.next("ROOM_SNAPSHOT")):
            pass
        assert here.register("ZOMBIE", player("carl")).status_code == 200  # loses, and runs again
        for socket in (first, second):
            socket.see("carl")
        kept = here.kept("ZOMBIE").state["connected"].values()
        assert sorted(one for ids in kept for one in ids) == sorted(
            [alice["playerId"], bob["playerId"]]
        )


def said(snapshot: dict) -> list[str]:
    return [line["text"] for line in snapshot["payload"]["chat"]]
