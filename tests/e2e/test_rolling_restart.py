"""Processes behind nginx end one after the other, and it sends nobody away for that."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from tests.support.databases import PostgresDatabase, manage
from tests.support.faulty_realtime import FaultyRealtime, answer
from tests.support.loops import until as until_in_loop
from tests.support.proxied import Proxied
from tests.support.returning import Crowd
from tests.support.servers import Server, until
from tests.support.services import need_nginx, need_postgresql, need_redis
from tests.support.site import refusal, together

ROOMS_EACH, ROOM_SIZE = 5, 10
SOCKETS = 2 * ROOMS_EACH * ROOM_SIZE
RETRY_S = 0.5
ALL_BACK_WITHIN_S = 90.0
UPGRADED = 101
ENDS = {"SIGTERM": Server.stop, "kill -9": Server.kill}


@pytest.fixture(scope="module")
def shared(tmp_path_factory, canary):
    """Two processes that share their rooms."""
    need_nginx()
    folder = tmp_path_factory.mktemp("shared")
    with PostgresDatabase.scratch(need_postgresql()) as database, ExitStack() as stack:
        manage(database, "migrate", "--noinput", "--verbosity=0")
        shared = Proxied(stack, [database, database], folder, REDIS_URL=need_redis())
        canary.hears(shared.site)
        yield shared


@pytest.fixture(params=[*ENDS.values()], ids=[*ENDS])
def end(request):
    """How a process ends."""
    return request.param


def test_a_room_goes_on_in_the_other_process(shared):
    """Its player comes back to the same address, and finds what was said."""
    host = shared.site.room("alice")
    with shared.site.enter(host) as alice:
        alice.send("SEND_CHAT", {"text": "remember me"})
        alice.hear("remember me")
        owner = shared.owner(host["roomId"])
        owner.kill()
        assert alice.closed() == 1006
    with shared.site.socket(host["roomId"]) as alice:
        snapshot = alice.join(host["playerToken"])
        assert "remember me" in [line["text"] for line in snapshot["chat"]]
        assert shared.site.join(host["roomId"], "bob").status_code == 200
        alice.see("bob")
    owner.up()


def test_every_socket_comes_back_and_none_is_refused(shared, end):
    async def story():
        crowd = Crowd("127.0.0.1", shared.nginx.port, lambda _: RETRY_S)
        try:
            crowd.send_in(await asyncio.to_thread(members, shared))
            await crowd.is_there(ALL_BACK_WITHIN_S)
            for process in shared.realtime:
                await asyncio.to_thread(end, process)
                await asyncio.to_thread(process.up)
                await crowd.is_there(ALL_BACK_WITHIN_S)
            # Each was at one of the two.
            await until_in_loop(lambda: len(crowd.departures) >= SOCKETS, ALL_BACK_WITHIN_S)
            await crowd.is_there(ALL_BACK_WITHIN_S)
        finally:
            await crowd.stop()
        return crowd.refusals

    refused = asyncio.run(story())
    refused.pop(UPGRADED, None)  # the process ended before it had answered JOIN_ROOM
    assert not refused


def members(proxied):
    """Players in rooms of both processes: the URL and the token of each."""
    owners = [process for process in proxied.realtime for _ in range(ROOMS_EACH)]
    hosts = [proxied.room_of(process) for process in owners]

    def fill(host):
        names = [f"guest {number}" for number in range(1, ROOM_SIZE)]
        guests = [proxied.site.join(host["roomId"], name).json() for name in names]
        return [(one["wsUrl"], one["playerToken"]) for one in (host, *guests)]

    return [place for filled in together(fill, hosts, at_once=4) for place in filled]


# -- the other upstream, and all of one ----------------------------------------------------------


@pytest.fixture(scope="module")
def doubled(any_migrated, tmp_path_factory, canary):
    """Two lobbies before one realtime process."""
    need_nginx()
    folder = tmp_path_factory.mktemp("doubled")
    with ExitStack() as stack:
        database = stack.enter_context(any_migrated.copy(folder / "data"))
        doubled = Proxied(stack, [database], folder, lobbies=2)
        canary.hears(doubled.site)
        yield doubled


def test_the_api_is_answered_while_lobbies_end_in_turn(doubled, end):
    url = doubled.nginx.url + "/api/rooms"
    for lobby in doubled.lobbies:
        end(lobby)
        assert [doubled.site.http.get(url).status_code for _ in range(6)] == [200] * 6
        lobby.up()


def test_what_had_ended_is_asked_again_as_soon_as_it_runs(doubled):
    room_id, ends = doubled.site.room()["roomId"], [*doubled.lobbies, *doubled.realtime]
    for server in ends:
        server.kill()
    for _ in range(3):
        assert refusal(doubled.site.create()) == (503, "REALTIME_UNAVAILABLE")
        assert refusal(doubled.state(room_id)) == (503, "REALTIME_UNAVAILABLE")
    for server in ends:
        server.up()
    assert doubled.state(room_id).status_code == 200
    assert [doubled.site.create().status_code for _ in range(4)] == [201] * 4


def test_a_create_that_was_sent_is_not_sent_again(any_migrated, tmp_path):
    """The lobbies die while one waits for the realtime service: nobody can tell what was done."""
    need_nginx()
    with ExitStack() as stack:

        def kill(connection, server):
            if not server.requests[-1].startswith(b"POST"):
                connection.sendall(answer("200 OK", b'{"status": "ok"}'))
                return
            for lobby in proxied.lobbies:
                lobby.kill()

        waiting = stack.enter_context(FaultyRealtime(kill))
        database = stack.enter_context(any_migrated.copy(tmp_path / "data"))
        proxied = Proxied(stack, [database], tmp_path, lobbies=2, REALTIME_URL=waiting.url)
        assert refusal(proxied.site.create()) == (503, "REALTIME_UNAVAILABLE")
        until(lambda: proxied.nginx.passed)
        assert [len(one.upstream) for one in proxied.nginx.passed] == [1]
