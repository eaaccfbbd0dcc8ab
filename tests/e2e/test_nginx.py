"""Everything through nginx, as docs/nginx.conf has it set up."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import httpx
import pytest

from tests.support.proxied import Proxied
from tests.support.servers import until
from tests.support.services import need_nginx, need_redis
from tests.support.site import refusal, together
from tests.support.templates import postgresql_tables

ROOMS = 50
SHARE_MIN = 10  # of them, for each of two processes
CREATES_PER_MIN = 20


@pytest.fixture
def site(proxied):
    return proxied.site


def test_a_room_is_made_joined_and_talked_in(site, proxied):
    host = site.room("alice")
    assert host["wsUrl"] == f"ws://127.0.0.1:{proxied.nginx.port}/parties/leet99/{host['roomId']}"
    with site.enter(host) as alice:
        alice.see("alice")
        joined = site.join(host["roomId"], "bob")
        assert joined.status_code == 200
        with site.enter(joined.json()) as bob:
            bob.send("SEND_CHAT", {"text": "hello"})
            for socket in (alice, bob):
                assert socket.hear("hello")["fromUsername"] == "bob"


def test_rooms_are_spread_and_the_lobby_knows_where_each_one_is(site, proxied):
    rooms = [one["roomId"] for one in together(lambda _: site.room(), range(ROOMS), at_once=8)]
    for room_id in rooms:
        for _ in range(2):
            assert proxied.state(room_id).status_code == 200
            assert proxied.upstream(room_id) == [f"127.0.0.1:{proxied.owner(room_id).port}"]
    owners = [proxied.owner(room_id) for room_id in rooms]
    assert min(owners.count(process) for process in proxied.realtime) >= SHARE_MIN


def test_a_query_does_not_move_a_room_and_is_not_logged(site, proxied):
    host = site.room()
    with site.socket(host["roomId"], query="?token=hush-hush&_pk=1") as socket:
        socket.join(host["playerToken"])
    assert proxied.state(host["roomId"], params={"token": "hush-hush"}).status_code == 200
    until(lambda: host["roomId"] in proxied.nginx.said)
    assert "hush" not in proxied.nginx.said


def test_health_is_public(site, proxied):
    assert site.http.get(proxied.nginx.url + "/healthz").json()["status"] == "ok"


def test_bodies_and_heads_are_bounded(site, proxied):
    for size in (20_000, 2_000_000):
        body = {"username": "x" * size}
        assert refusal(site.http.post(proxied.nginx.url + "/api/rooms", json=body)) == (
            413,
            "PAYLOAD_TOO_LARGE",
        )
    told = site.http.get(proxied.nginx.url + "/healthz", headers={"X-Long": "x" * 20_000})
    assert told.status_code == 400


# -- who calls -----------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is at home at all of 127.0.0.0/8")
def test_callers_are_told_apart_by_address_whatever_they_say(any_migrated, tmp_path):
    """On a lobby with limits: one address has used up its share, another one has not."""
    with ExitStack() as stack:
        database = stack.enter_context(any_migrated.copy(tmp_path / "data"))
        limited = Proxied(stack, [database], tmp_path, RATE_LIMITS="on")
        answers = [create(limited, "127.0.0.2", f"10.0.0.{n}") for n in range(CREATES_PER_MIN + 1)]
        assert [answer.status_code for answer in answers] == [201] * CREATES_PER_MIN + [429]
        assert create(limited, "127.0.0.3", "127.0.0.2").status_code == 201


def create(proxied, address, claimed):
    """A room for who calls from this address, and claims another."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(transport=transport, base_url=proxied.nginx.url) as client:
        said = {"X-Forwarded-For": claimed}
        return client.post("/api/rooms", json={"username": "alice"}, headers=said)


# -- when a process is gone ----------------------------------------------------------------------


@pytest.fixture
def gone(proxied):
    """One of the two realtime processes, killed."""
    gone, _ = proxied.realtime
    gone.kill()
    yield gone
    gone.up()
    proxied.nginx.down()  # or it would not believe that for 10 s
    proxied.nginx.up()


def test_the_other_process_takes_over(site, proxied, gone):
    _, other = proxied.realtime
    for _ in range(5):
        host = proxied.room_of(gone)
        assert proxied.state(host["roomId"]).status_code == 200
        assert proxied.upstream(host["roomId"])[-1] == f"127.0.0.1:{other.port}"
        with site.enter(host) as alice:
            alice.send("SEND_CHAT", {"text": "over here"})
            alice.hear("over here")


def test_when_all_are_gone_it_is_said_in_json(site, proxied, gone):
    _, other = proxied.realtime
    room_id = site.room()["roomId"]
    other.kill()
    answer = proxied.state(room_id)
    other.up()
    assert refusal(answer) == (503, "REALTIME_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"


@pytest.fixture
def shared(tmp_path):
    """Two processes that share their rooms."""
    need_nginx()
    with postgresql_tables().copy(tmp_path) as database, ExitStack() as stack:
        yield Proxied(stack, [database, database], tmp_path, REDIS_URL=need_redis())


def test_a_room_goes_on_in_the_other_process(shared):
    """Its player comes back to the same address, and finds what was said."""
    host = shared.site.room("alice")
    with shared.site.enter(host) as alice:
        alice.send("SEND_CHAT", {"text": "remember me"})
        alice.hear("remember me")
        shared.owner(host["roomId"]).kill()
        assert alice.closed() == 1006
    with shared.site.socket(host["roomId"]) as alice:
        snapshot = alice.join(host["playerToken"])
        assert "remember me" in [line["text"] for line in snapshot["chat"]]
        assert shared.site.join(host["roomId"], "bob").status_code == 200
        alice.see("bob")
