"""Everything through nginx, as docs/nginx.conf has it set up."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from socket import SHUT_WR, create_connection
from urllib.parse import urlsplit

import httpx
import pytest

from config.serving import server_config
from lobby.__main__ import KEEP_ALIVE_S
from tests.support.faulty_realtime import FaultyRealtime, silent
from tests.support.nginx import SAMPLE, Nginx
from tests.support.proxied import Proxied
from tests.support.servers import until
from tests.support.services import need_nginx, need_redis
from tests.support.site import refusal, together
from tests.support.templates import postgresql_tables

ROOMS = 50
HEARD_WITHIN_S = 15.0
SHARE_MIN = 10  # of them, for each of two processes
CREATES_PER_MIN = 20
UPSTREAMS = SAMPLE.read_text().partition("\nserver {")[0]
ORIGIN = "https://play.example.org"  # the one in the sample


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


@pytest.mark.parametrize("path", ["/healthz", "/status"])
def test_health_is_public(site, proxied, path):
    until(lambda: site.http.get(proxied.nginx.url + path).json()["status"] == "ok")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET"])
@pytest.mark.parametrize("below", ["", "/state"])
def test_methods_that_only_read_reach_the_process(site, proxied, method, below):
    room_id = site.room()["roomId"]
    path = f"/parties/leet99/{room_id}{below}"
    behind = site.http.request(method, proxied.owner(room_id).url + path)
    before = site.http.request(method, proxied.nginx.url + path)
    assert (before.status_code, before.content) == (behind.status_code, behind.content)
    until(lambda: (method, path) in [(one.method, one.path) for one in proxied.nginx.passed])
    (passed,) = (one for one in proxied.nginx.passed if (one.method, one.path) == (method, path))
    assert passed.upstream


@pytest.mark.parametrize("path", ["/api/rooms", "/healthz", "/status"])
def test_head_and_preflights_reach_the_lobby(site, proxied, path):
    url = proxied.nginx.url + path
    assert site.http.head(url).status_code == 200
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    assert site.http.options(url, headers=asks).status_code == 204


def test_open_sockets_outlive_a_reload(site, proxied):
    host = site.room("alice")
    with site.enter(host) as alice:
        proxied.nginx.reload()
        assert proxied.state(host["roomId"]).status_code == 200
        alice.send("SEND_CHAT", {"text": "still here"})
        alice.hear("still here")


def test_pages_of_allowed_origins_may_read_what_nginx_itself_refuses(site, proxied):
    def refused(method, path, origin, **how):
        headers = {"Origin": origin}
        return site.http.request(method, proxied.nginx.url + path, headers=headers, **how)

    large = {"content": b"x" * 2_000_000}
    for method, path, how in (("GET", "/nothing", {}), ("POST", "/api/rooms", large)):
        allowed = refused(method, path, ORIGIN, **how)
        assert allowed.headers["access-control-allow-origin"] == ORIGIN
        assert allowed.headers["vary"] == "Origin"
        foreign = refused(method, path, ORIGIN + ".evil.example", **how)
        assert "access-control-allow-origin" not in foreign.headers
        assert foreign.headers["vary"] == "Origin"


def test_bodies_and_heads_are_bounded(site, proxied):
    for size in (20_000, 2_000_000):
        body = {"username": "x" * size}
        assert refusal(site.http.post(proxied.nginx.url + "/api/rooms", json=body)) == (
            413,
            "PAYLOAD_TOO_LARGE",
        )
    for path, header in (("/healthz", "x" * 20_000), ("/healthz?" + "x" * 20_000, "")):
        told = site.http.get(proxied.nginx.url + path, headers={"X-Long": header})
        assert refusal(told) == (400, "BAD_REQUEST")


def test_it_lets_go_of_idle_connections_before_greenroom_does():
    """Or a POST would meet one that is being closed."""
    kept = [
        int(text) for text in re.findall(r"^    keepalive_timeout (\d+)s;", UPSTREAMS, re.MULTILINE)
    ]
    closed = (KEEP_ALIVE_S, server_config("realtime.asgi:application", "", 1).timeout_keep_alive)
    assert len(kept) == 2
    assert max(kept) < min(closed)


def test_it_says_so_in_json_that_it_has_no_connection_left(tmp_path):
    """Three are the one it listens on, the one to its leader, and the caller's."""
    with FaultyRealtime(silent) as behind:
        ports = [urlsplit(behind.url).port or 0]
        with Nginx(tmp_path, ports, ports, connections=3) as nginx:
            answer = httpx.get(nginx.url + "/api/rooms", headers={"Origin": ORIGIN})
        assert not behind.requests
    assert refusal(answer) == (503, "REALTIME_UNAVAILABLE")
    assert answer.headers["access-control-allow-origin"] == ORIGIN


# -- bytes on a socket ---------------------------------------------------------------------------


def said_to(proxied, sent):
    """All that a caller hears who sends this, and then closes its half of the connection."""
    with create_connection(("127.0.0.1", proxied.nginx.port), HEARD_WITHIN_S) as caller:
        caller.sendall(sent)
        caller.shutdown(SHUT_WR)
        return b"".join(iter(lambda: caller.recv(65536), b""))


@pytest.mark.parametrize("times", [1, 2])
def test_a_caller_that_has_half_closed_hears_what_was_kept(proxied, times):
    body = b'{"username":"alice"}'
    head = (
        b"POST /api/rooms HTTP/1.1\r\nHost: play.example.org\r\nContent-Type: application/json\r\n"
    )
    create = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert said_to(proxied, create * times).count(b"HTTP/1.1 201 ") == times


def test_one_that_asks_a_process_and_half_closes_is_answered(site, proxied):
    path = f"/parties/leet99/{site.room()['roomId']}/state"
    asked = f"GET {path} HTTP/1.1\r\nHost: play.example.org\r\n\r\n".encode()
    assert b"HTTP/1.1 200 " in said_to(proxied, asked)


@pytest.mark.parametrize(
    ("line", "header", "told"),
    [
        ("TRACE /status HTTP/1.1", "X-Any: 1", (b"405", b"METHOD_NOT_ALLOWED")),
        ("POST /api/rooms HTTP/1.1", "Transfer-Encoding: gzip", (b"400", b"BAD_REQUEST")),
        ("GET /api/rooms HTTP/1.1", "X-Long: " + "x" * 9000, (b"400", b"BAD_REQUEST")),
    ],
)
def test_what_nginx_itself_refuses_is_json_that_the_page_may_read(proxied, line, header, told):
    head = f"{line}\r\nHost: play.example.org\r\nOrigin: {ORIGIN}\r\n{header}\r\n\r\n"
    status, code = told
    answer = said_to(proxied, head.encode())
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b'{"error": {"code": "%b", ' % code in answer
    assert f"\r\nAccess-Control-Allow-Origin: {ORIGIN}\r\n".encode() in answer


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
    answer = proxied.state(room_id, headers={"Origin": ORIGIN})
    other.up()
    assert refusal(answer) == (503, "REALTIME_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-expose-headers"] == "Retry-After"


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
