"""What callers at the edges of HTTP see of both tiers, as bytes on a socket."""

from __future__ import annotations

import gzip
import json
import socket
from contextlib import ExitStack
from functools import partial

import pytest

from config.env import DEV_SERVICE_KEY
from tests.e2e.conftest import both_tiers
from tests.support.servers import Server, until
from tests.support.site import player

PATIENCE_S = 30
PAGE = "http://localhost:3000"  # allowed in development
FILES_MAX = 64
LIMITED = (
    "import resource, runpy; "
    f"resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES_MAX}, {FILES_MAX})); "
    "runpy.run_module({!r}, run_name='__main__')"
)
FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"  # 1.4 MB
SOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.fixture(scope="module")
def house(any_migrated, canary, tmp_path_factory):
    """Both tiers."""
    folder = tmp_path_factory.mktemp("edges")
    with any_migrated.copy(folder) as database, both_tiers(database, folder) as site:
        yield canary.hears(site)


@pytest.fixture(params=["lobby", "realtime"])
def tier(request, house):
    """Each of them."""
    return getattr(house, request.param)


def request(method, path, body=None, *lines):
    """A request as it is sent."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    if content is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*head, "", ""]).encode() + (content or b"")


def register(room_id, body, *lines):
    return request(
        "POST",
        f"/parties/leet99/{room_id}/register",
        body,
        f"Authorization: Bearer {DEV_SERVICE_KEY}",
        *lines,
    )


def asks(server, *sent, half_close=True):
    """All that is answered until the server hangs up: statuses, headers and bodies."""
    with connected(server) as connection:
        for piece in sent:
            connection.sendall(piece)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return [*answers(connection)]


def connected(server):
    return socket.create_connection((server.host, server.port), PATIENCE_S)


def answers(connection):
    file = connection.makefile("rb")
    while line := file.readline():
        lines = iter(lambda: file.readline().decode().strip(), "")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        yield int(line.split()[1]), headers, file.read(int(headers.get("content-length", 0)))


def statuses(answered):
    return [status for status, *_ in answered]


class TestWhoeverSendsNothingMore:
    """The caller ends its half of the connection behind a complete request."""

    def test_has_joined_and_knows_it(self, house):
        room_id = house.room()["roomId"]
        path = f"/api/rooms/{room_id}/join"
        answered = asks(
            house.lobby, request("POST", path, {"username": "b"}), request("GET", "/healthz")
        )
        assert statuses(answered) == [200, 200]
        assert json.loads(answered[0][2])["roomId"] == room_id
        again = [request("POST", path, {"username": name}) for name in ("c", "d", "b")]
        assert statuses(asks(house.lobby, *again)) == [200, 200, 409]
        counts = json.loads(house.summary(room_id).text)["counts"]
        assert counts["players"] == 4

    def test_is_answered_by_the_realtime_service(self, house):
        body = player("alice", isHost=True)
        state = request("GET", "/parties/leet99/HALF23/state")
        assert statuses(asks(house.realtime, register("HALF23", body), state)) == [200, 200]

    def test_in_the_middle_of_a_request_is_hung_up_on_and_did_nothing(self, house):
        room_id = house.room()["roomId"]
        whole = request("POST", f"/api/rooms/{room_id}/join", {"username": "b"})
        for at in (1, whole.index(b"\r\n\r\n"), len(whole) - 1):
            assert asks(house.lobby, whole[:at]) == []
        assert asks(house.realtime, register("HALF24", player("a", isHost=True))[:-1]) == []
        counts = json.loads(house.summary(room_id).text)["counts"]
        assert counts["players"] == 1

    def test_has_a_handshake_answered(self, house):
        path = f"/parties/leet99/{house.room()['roomId']}"
        assert statuses(asks(house.realtime, request("GET", path, None, *SOCKET))) == [101]
        foreign = [*SOCKET, "Origin: https://evil.example"]
        assert statuses(asks(house.realtime, request("GET", path, None, *foreign))) == [403]


class TestAnUpgradeThatIsNotTaken:
    @pytest.mark.parametrize(
        "offer",
        [
            ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
            SOCKET,
            ["Connection: upgrade", "Upgrade: TLS/1.0"],
        ],
        ids=["h2c", "websocket", "TLS"],
    )
    def test_is_ignored_with_a_body_and_without(self, house, offer):
        create = request("POST", "/api/rooms", {"username": "a"}, *offer)
        chunked = create.replace(b"Content-Length: 17", b"Transfer-Encoding: chunked")
        chunked = chunked.replace(b'{"username": "a"}', b'11\r\n{"username": "a"}\r\n0\r\n\r\n')
        look = request("GET", "/api/rooms", None, *offer)
        plain = request("GET", "/healthz")
        answered = asks(house.lobby, create, chunked, look, create, plain)
        assert statuses(answered) == [201, 201, 200, 201, 200]
        body = player("alice", isHost=True)
        room_id = f"upgrade-{offer[1][9:12]}"
        answered = asks(house.realtime, register(room_id, body, *offer), plain)
        assert statuses(answered) == [200, 200]

    def test_for_a_socket_with_a_body_opens_none(self, house):
        get = request("GET", "/parties/leet99/ROOM23", b"hello", *SOCKET)
        for server, status in ((house.lobby, 404), (house.realtime, 426)):
            assert statuses(asks(server, get, request("GET", "/healthz"))) == [status, 200]


def test_a_rooms_path_without_an_upgrade_names_the_proxys_headers(house):
    for method in ("GET", "HEAD"):
        path = f"/parties/leet99/{house.room()['roomId']}"
        with connected(house.realtime) as connection:
            connection.sendall(request(method, path, None, "Connection: close"))
            head = connection.makefile("rb").read().decode().lower()
        assert head.startswith("http/1.1 426 ")
        assert "\r\nupgrade: websocket\r\n" in head
        assert ("proxy" in head.partition("\r\n\r\n")[2]) == (method == "GET")


REFUSED = {
    "no such path": (request("GET", "/nothing"), 404),
    "no such method": (request("DELETE", "/healthz"), 405),
    "two hosts": (request("GET", "/healthz", None, "Host: other"), 400),
    "two framings": (request("GET", "/healthz", b"", "Transfer-Encoding: chunked"), 400),
    "a head too large": (request("GET", "/healthz?" + "x" * 40_000), 431),
    "too many headers": (
        request("GET", "/healthz", None, *[f"a{n}: b" for n in range(150)]),
        431,
    ),
    "bytes behind a request": (request("GET", "/healthz", None, "A: b\0"), 400),
}


# Behind what is no HTTP nothing is read.
ORIGIN_FIRST = [(raw, status, True) for raw, status in REFUSED.values()]
ORIGIN_LAST = [(raw, status, False) for raw, status in REFUSED.values() if status != 400]


@pytest.mark.parametrize(("raw", "status", "first"), ORIGIN_FIRST + ORIGIN_LAST)
def test_an_allowed_page_may_read_what_the_protocol_refuses(tier, raw, status, first):
    for origin, readable in ((PAGE, True), ("https://evil.example", False)):
        line = f"\r\nOrigin: {origin}\r\n".encode()
        ends = b"\r\n\r\n"
        sent = raw.replace(b"\r\n", line, 1) if first else raw.replace(ends, line + b"\r\n", 1)
        ((answered, headers, body),) = asks(tier, sent, half_close=status != 431)
        assert answered == status
        assert (headers.get("access-control-allow-origin") == origin) is readable
        assert "access-control-allow-credentials" not in headers
        assert json.loads(body)["error"]["message"]


def test_a_body_that_is_compressed_is_refused_and_a_byte_order_mark_is_none(house):
    text = json.dumps({"username": "a"}).encode()
    for body, lines, status in [
        (gzip.compress(text), ["Content-Encoding: gzip"], 415),
        (text, ["Content-Encoding: identity"], 201),
        (b"\xef\xbb\xbf" + text, [], 201),
        (text.decode().encode("utf-16"), [], 400),
    ]:
        ((answered, *_),) = asks(house.lobby, request("POST", "/api/rooms", body, *lines))
        assert answered == status


PAGES = ["/api/docs", "/api/schema", "/admin/", "/admin/login/", "/nothing", "/", FILE]
METHODS = ["OPTIONS", "PROPFIND", "TRACE", "DELETE", "PUT", "PATCH", "POST", "QUERY"]


@pytest.mark.parametrize("path", PAGES)
def test_no_method_breaks_a_page(house, path):
    for method in METHODS:
        for more in ("", "?format=json", "?format=api"):
            ((status, headers, body),) = asks(house.lobby, request(method, path + more))
            assert status < 500, (method, path + more)
            if status in (404, 405):
                assert headers["content-type"] == "application/json"
                assert json.loads(body)["error"]["code"] in ("NOT_FOUND", "METHOD_NOT_ALLOWED")
            if status == 405:
                assert "GET" in headers["allow"]


def test_a_stop_with_a_body_on_the_way_is_an_ordinary_one(any_migrated, tmp_path):
    """And with somebody who reads nothing of a page. The fixture finds what was logged."""
    with any_migrated.copy(tmp_path) as database, ExitStack() as stack:
        site = stack.enter_context(both_tiers(database, tmp_path, DRAIN_TIMEOUT_S="3"))
        half = [
            (site.lobby, request("POST", "/api/rooms", {"username": "a"})[:-1]),
            (site.realtime, register("STOPPED", player("a", isHost=True))[:-1]),
        ]
        callers = []
        for server, sent in half:
            caller = stack.enter_context(connected(server))
            caller.sendall(sent)
            callers.append((server, caller))
        stalled = stack.enter_context(connected(site.lobby))
        stalled.sendall(request("GET", FILE) * 3)
        assert stalled.recv(1)
        for server, _ in callers:
            server.ask_to_stop()
        for server, caller in callers:
            (answered,) = answers(caller)
            assert answered[0] == 400
            assert b"did not come in time" in answered[2]
            server.wait()
            assert "ERROR" not in server.said
            assert "Traceback" not in server.said


def says(server: Server, word: str) -> bool:
    return word in server.said


class TestOutOfFileDescriptors:
    @pytest.fixture
    def crowded(self, any_migrated, tmp_path):
        """Both tiers with FILES_MAX files each, and what fills them."""
        with any_migrated.copy(tmp_path) as database, ExitStack() as stack:
            site = stack.enter_context(
                both_tiers(database, tmp_path, program=lambda name: ("-c", LIMITED.format(name)))
            )
            tiers = (site.lobby, site.realtime)
            yield site, [(server, stack.enter_context(connected(server))) for server in tiers]
            for server in (site.lobby, site.realtime):
                server.news()  # which the test has looked at

    def test_is_said_once_and_passes(self, crowded):
        site, kept = crowded
        for server, connection in kept:
            with ExitStack() as crowd:
                for _ in range(FILES_MAX + 10):
                    crowd.enter_context(connected(server))
                until(partial(says, server, "RLIMIT_NOFILE"), PATIENCE_S)
                self.is_refused_and_no_bug(server, connection)
            until(server.ready, PATIENCE_S)
            (line,) = [one for one in server.said.splitlines() if "RLIMIT_NOFILE" in one]
            assert f"all the {FILES_MAX} files" in line
            assert "LimitNOFILE" in line
            assert "Traceback" not in server.said
        assert site.create().status_code == 201

    @staticmethod
    def is_refused_and_no_bug(server, connection):
        """Whoever is connected already."""
        path = "/api/docs" if server.name == "lobby" else "/leaderboard"
        connection.sendall(request("GET", path) * 20)
        heard = answers(connection)
        for _ in range(20):
            status, headers, body = next(heard, (503, {"retry-after": "1"}, b""))
            assert status in (200, 503)
            assert status == 200 or headers["retry-after"] == "1"
            assert b"INTERNAL_ERROR" not in body
