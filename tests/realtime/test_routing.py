"""The service's HTTP, on a runtime in this process with a real store."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import time
from typing import Any, get_args

import httpx
import msgspec
import pytest
from django.conf import settings

from contracts import jsonio
from contracts.http import CloseRoom, Control, RemovePlayer, RetryAlarms
from contracts.limits import SERVICE_BODY_MAX_BYTES
from realtime import routing
from realtime.auth import token_hash
from realtime.core.commands import Command, Connect, EndRoom, Receive, Remove
from realtime.core.commands import RetryAlarms as Retry
from realtime.core.rows import RoomKey
from realtime.engine.hub import Connection
from realtime.routing import ROUTES
from realtime.runtime import Runtime
from tests.support.browser import in_process
from tests.support.engine import RecordingWire
from tests.support.listings import keep_rooms, listing_of, match
from tests.support.stores import batch, room, told

NOW = time.time()
KEY = "a-service-key"
ROOM = "/parties/leet99/K7PQ2M"
PATHS = {
    routing._ROOM + "/state": ROOM + "/state",
    routing._ROOM + "/matches": ROOM + "/matches",
    routing._PARTY: "/parties/leet99",
    "/matches/(?P<match_id>[^/]+)": "/matches/m_1",
    "/leaderboard": "/leaderboard",
    "/healthz": "/healthz",
    "/readyz": "/readyz",
}
ALICE = {
    "playerId": "p_alice",
    "playerToken": "pt_alice",
    "username": "alice",
    "role": "player",
    "isHost": True,
    "visibility": "public",
    "settings": {"playerCap": 3},
}


class Service:
    """The service as other services reach it."""

    def __init__(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        self.store = runtime.store
        self.rooms = runtime.rooms
        self._client = client

    async def get(self, path: str, status: int = 200, **how: Any):
        return self._body(await self._client.get(path, **how), status)

    async def ask(self, method: str, path: str, body: bytes = b"", headers=None):
        """The whole answer."""
        known = {"Authorization": f"Bearer {KEY}"}
        if body:
            known["Content-Type"] = "application/json"
        headers = {**known, **(headers or {})}
        return await self._client.request(method, path, content=body, headers=headers)

    async def post(self, path: str, body, status: int = 200, key: str = KEY):
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        answer = await self._client.post(path, content=content, headers=headers)
        return self._body(answer, status)

    async def refusal(self, path: str, status: int) -> tuple[str, list[str]]:
        error = (await self.get(path, status))["error"]
        return error["code"], [detail["path"] for detail in error.get("details", [])]

    @staticmethod
    def _body(answer: httpx.Response, status: int):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()


@pytest.fixture
def story(database, monkeypatch, django_db_blocker):
    """Runs a coroutine function with a service of its own."""

    def tell(coroutine):
        async def main():
            environment = dataclasses.replace(settings.GREENROOM, service_keys=(KEY,))
            runtime = Runtime(environment, database.store(), listing_of(database))

            async def current():
                return runtime

            monkeypatch.setattr(routing, "runtime", current)
            await runtime.start()
            transport = in_process(routing.http_application)
            async with httpx.AsyncClient(transport=transport, base_url="http://rt") as client:
                try:
                    await coroutine(Service(client, runtime))
                finally:
                    await runtime.close()

        with django_db_blocker.unblock():
            told(main())

    return tell


def test_a_room_is_listed_as_it_describes_itself(story):
    async def listed(service):
        await service.post(ROOM + "/register", ALICE)
        bob = {"playerId": "p_bob", "playerToken": "pt_bob", "username": "bob", "isHost": False}
        await service.post(ROOM + "/register", ALICE | bob)
        state = await service.get(ROOM + "/state")
        counts = {name: state["playerCounts"][name] for name in ("players", "spectators")}
        summary = {name: state[name] for name in ("roomId", "phase", "settings")}
        page = await service.get("/parties/leet99")
        assert page == {"rooms": [{**summary, "counts": counts}], "nextCursor": None}
        assert await service.get("/parties/chat") == {"rooms": [], "nextCursor": None}

    story(listed)


def test_a_crowd_that_reads_a_room_keeps_no_player_from_speaking(story):
    async def crowded(service):
        await service.post(ROOM + "/register", ALICE)
        wire = RecordingWire()
        connection = Connection(RoomKey("leet99", "K7PQ2M"), wire)
        await service.rooms.ask(connection.key, Connect(token_hash("pt_alice")), connection)
        reads = [asyncio.ensure_future(service.get(ROOM + "/state")) for _ in range(2000)]
        for _ in range(20):
            await asyncio.sleep(0)
            line = Receive("p_alice", "SEND_CHAT", jsonio.raw({"text": "hello"}))
            service.rooms.tell(connection, line)
        answers = await asyncio.gather(*reads, return_exceptions=True)
        errors = {frame["payload"]["code"] for frame in wire.frames if frame["type"] == "ERROR"}
        assert errors <= {"RATE_LIMITED"}  # for chatting too fast, and never for a busy room
        assert "CHAT_APPEND" in wire.kinds
        assert {answer["playerCount"] for answer in answers if isinstance(answer, dict)} == {1}

    story(crowded)


def test_pages_follow_their_cursors(story):
    async def paged(service):
        await keep_rooms(service.store, *(f"ROOM{number:02}" for number in range(60)))
        first = await service.get("/parties/leet99?status=open&hasSpace=true")
        path = f"/parties/leet99?status=open&hasSpace=true&cursor={first['nextCursor']}"
        second = await service.get(path)
        assert (len(first["rooms"]), len(second["rooms"])) == (50, 10)
        assert second["nextCursor"] is None

    story(paged)


def test_matches_and_scores_are_told(story):
    async def played(service):
        one = match("m_1", 9, 4, ended_at=NOW)
        await service.store.commit(batch(room("K7PQ2M"), matches=(one,)))
        report = await service.get("/matches/m_1")
        assert [standing["rank"] for standing in report["standings"]] == [1, 2, 3]
        matches = await service.get("/parties/leet99/k7pq2m/matches")
        assert matches == {"roomId": "K7PQ2M", "matches": [report["match"]]}
        board = await service.get("/leaderboard?window=day")
        assert [entry["score"] for entry in board["entries"]] == [9, 4]
        assert board["entries"][0] == {
            "rank": 1,
            "username": "name1",
            "score": 9,
            "matchId": "m_1",
            "at": report["match"]["endAt"],
        }

    story(played)


def test_a_limit_is_clamped_and_the_last_of_two_counts(story):
    async def limited(service):
        played = tuple(match(f"m{n}", 2, 1, ended_at=NOW + n) for n in range(110))
        await service.store.commit(batch(room("K7PQ2M"), turns=1, matches=played))
        for text, matches, entries in [
            ("", 20, 50),
            ("0", 1, 1),
            ("-1", 1, 1),
            ("-" + "9" * 5000, 1, 1),
            ("7", 7, 7),
            ("007", 7, 7),
            ("101", 100, 100),
            ("9" * 5000, 100, 100),
            ("5&limit=6", 6, 6),
        ]:
            listed = await service.get(f"{ROOM}/matches?limit={text}")
            assert len(listed["matches"]) == matches, text
            board = await service.get(f"/leaderboard?limit={text}")
            assert len(board["entries"]) == entries, text

    story(limited)


BAD = [
    *((f"{ROOM}/matches?limit={text}", "limit") for text in ("x", "1e3", "1.0", "%00", "+5", "٣")),
    *((f"/leaderboard?limit={text}", "limit") for text in ("x", "0x10", "%205", "5%00", "--5")),
    *((f"/leaderboard?window={text}", "window") for text in ("month", "ALL", "all%00", "%FF")),
    *((f"/parties/leet99?status={text}", "status") for text in ("closed", "OPEN", "open%00")),
    *((f"/parties/leet99?hasSpace={text}", "hasSpace") for text in ("maybe", "1", "True", "%00")),
    *(
        (f"/parties/leet99?cursor={text}", "cursor")
        for text in ("x", "%00", "%FF", "..%2F", "'--", "A" * 21, "A" * 5000, "null")
    ),
    ("/parties/leet99?status=open&status=closed", "status"),
]


def test_a_bad_parameter_is_named(story):
    async def refused(service):
        await keep_rooms(service.store, "K7PQ2M")
        for path, parameter in BAD:
            assert await service.refusal(path, 400) == ("BAD_REQUEST", [parameter]), path

    story(refused)


def test_an_empty_or_unknown_parameter_is_none(story):
    async def answered(service):
        await keep_rooms(service.store, "K7PQ2M")
        page = await service.get("/parties/leet99?status=&hasSpace=&cursor=&color=red&&=&%00=%00")
        assert len(page["rooms"]) == 1
        assert (await service.get("/leaderboard?window=&limit="))["window"] == "all"

    story(answered)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/parties/nosuch", "NOT_FOUND"),
        ("/parties/%00", "NOT_FOUND"),
        ("/parties/", "NOT_FOUND"),
        ("/parties/nosuch/K7PQ2M/matches", "NOT_FOUND"),
        (ROOM + "/matches", "ROOM_NOT_FOUND"),
        ("/parties/leet99/a.b/matches", "NOT_FOUND"),
        ("/parties/leet99/a%00b/matches", "NOT_FOUND"),
        ("/matches/m_1", "MATCH_NOT_FOUND"),
        ("/matches/a%00b", "NOT_FOUND"),
        ("/matches/" + "x" * 65, "NOT_FOUND"),
        ("/matches", "NOT_FOUND"),
        ("/leaderboard/", "NOT_FOUND"),
    ],
)
def test_what_is_not_there(story, path, code):
    async def missing(service):
        assert await service.refusal(path, 404) == (code, [])

    story(missing)


def test_the_methods_of_a_path_are_named(story):
    async def wrong(service):
        for path in ("/parties/leet99", ROOM + "/matches", "/matches/m_1", "/leaderboard"):
            assert (await service.post(path, {}, 405))["error"]["code"] == "METHOD_NOT_ALLOWED"
        assert (await service.get(ROOM + "/control", 405))["error"]["code"] == "METHOD_NOT_ALLOWED"

    story(wrong)


class TestReadiness:
    def test_is_told_to_anybody(self, story):
        async def ready(service):
            assert (await service.get("/readyz"))["status"] == "ok"

        story(ready)

    def test_is_for_who_shows_the_key(self, story):
        async def asked(service):
            right, wrong = ({"Authorization": f"Bearer {key}"} for key in (KEY, "another-key"))
            assert (await service.get("/readyz", headers=right))["status"] == "ok"
            refused = await service.get("/readyz", 401, headers=wrong)
            assert refused["error"]["code"] == "UNAUTHORIZED"

        story(asked)


class TestTheEdgesOfHttp:
    def test_head_is_answered_wherever_get_is(self, story):
        async def asked(service):
            await service.post(ROOM + "/register", ALICE)
            for route in ROUTES:
                if route.method != "GET" or route.handler is routing.room_path:
                    continue
                path = PATHS[route.pattern.pattern]
                got, head = await service.ask("GET", path), await service.ask("HEAD", path)
                assert (head.status_code, head.content) == (got.status_code, b"")
                assert head.headers == got.headers
                wrong = await service.ask("PUT", path)
                assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")

        story(asked)

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_a_rooms_path_without_an_upgrade_says_what_a_proxy_drops(self, story, method):
        async def asked(service):
            for party in ("leet99", "chat"):
                answer = await service.ask(method, f"/parties/{party}/K7PQ2M?_pk=1")
                assert answer.status_code == 426
                assert answer.headers["upgrade"] == "websocket"
                assert answer.headers["connection"] == "Upgrade"
                if method == "GET":
                    error = answer.json()["error"]
                    assert error["code"] == "UPGRADE_REQUIRED"
                    assert all(word in error["message"] for word in ("proxy", "Upgrade"))

        story(asked)

    def test_what_is_no_rooms_path_requires_no_upgrade(self, story):
        async def asked(service):
            for path in ("/parties/nosuch/K7PQ2M", "/parties/leet99/a.b", "/parties/leet99/a%00"):
                assert (await service.ask("GET", path)).status_code == 404
            assert (await service.ask("POST", ROOM)).status_code == 405

        story(asked)

    @pytest.mark.parametrize("path", ["/register", "/control"])
    def test_a_body_may_have_a_byte_order_mark(self, story, path):
        async def asked(service):
            await service.post(ROOM + "/register", ALICE)
            body = ALICE if path == "/register" else {"action": "retry-alarms"}
            await service.post(ROOM + path, b"\xef\xbb\xbf" + msgspec.json.encode(body))

        story(asked)

    @pytest.mark.parametrize("path", ["/register", "/control"])
    def test_a_compressed_body_is_refused_by_name(self, story, path):
        async def asked(service):
            packed = gzip.compress(msgspec.json.encode(ALICE))
            answer = await service.ask("POST", ROOM + path, packed, {"Content-Encoding": "gzip"})
            assert answer.status_code == 415
            assert "Content-Encoding" in answer.json()["error"]["message"]
            assert answer.headers["accept-encoding"] == "identity"
            assert (await service.ask("GET", ROOM + "/state")).status_code == 404

        story(asked)

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/healthz", 200),
            ("GET", "/readyz", 200),
            ("GET", ROOM + "/state", 404),
            ("GET", ROOM, 426),
            ("GET", "/nothing", 404),
            ("POST", "/healthz", 405),
            ("GET", "/leaderboard?window=x", 400),
            ("POST", ROOM + "/register", 415),
        ],
    )
    def test_an_allowed_page_may_read_every_answer(self, story, method, path, status):
        async def asked(service):
            page = "http://localhost:3000"
            answer = await service.ask(method, path, headers={"Origin": page})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == page
            assert answer.headers["vary"] == "Origin"
            for origin in ({"Origin": "https://evil.example"}, {}):
                foreign = await service.ask(method, path, headers=origin)
                assert "access-control-allow-origin" not in foreign.headers
                assert foreign.headers["vary"] == "Origin"
            asks = {"Origin": page, "Access-Control-Request-Method": method}
            preflight = await service.ask("OPTIONS", path, headers=asks)
            assert preflight.status_code == 204
            assert preflight.headers["access-control-allow-origin"] == page
            assert "traceparent" in preflight.headers["access-control-allow-headers"]

        story(asked)


class TestControl:
    def test_removes_a_member(self, story):
        async def removed(service):
            await service.post(ROOM + "/register", ALICE)
            bob = {"playerId": "p_bob", "playerToken": "t2", "username": "bob", "isHost": False}
            await service.post(ROOM + "/register", ALICE | bob)
            control = {"action": "remove", "playerId": "p_bob"}
            assert await service.post(ROOM + "/control", control) == {"ok": True}
            assert (await service.get(ROOM + "/state"))["playerCount"] == 1
            again = await service.post(ROOM + "/control", control, 404)
            assert again["error"]["code"] == "PLAYER_NOT_FOUND"

        story(removed)

    def test_closes_a_room_which_is_listed_no_more(self, story):
        async def closed(service):
            await service.post(ROOM + "/register", ALICE)
            assert await service.post(ROOM + "/control", {"action": "close"}) == {"ok": True}
            assert (await service.get("/parties/leet99"))["rooms"] == []
            assert await service.refusal(ROOM + "/state", 404) == ("ROOM_NOT_FOUND", [])
            assert (await service.get(ROOM + "/matches"))["matches"] == []
            again = await service.post(ROOM + "/control", {"action": "close"}, 404)
            assert again["error"]["code"] == "ROOM_NOT_FOUND"

        story(closed)

    def test_retries_alarms(self, story):
        async def retried(service):
            await service.post(ROOM + "/register", ALICE)
            assert await service.post(ROOM + "/control", {"action": "retry-alarms"}) == {"ok": True}

        story(retried)

    def test_has_a_command_for_each_that_there_is_and_for_no_other(self):
        controls: dict[Any, Command] = {
            CloseRoom(): EndRoom(),
            RemovePlayer("p"): Remove("p"),
            RetryAlarms(): Retry(),
        }
        assert {type(control) for control in controls} == set(get_args(Control))
        for control, command in controls.items():
            assert routing._command(control) == command
        unknown: Any = object()
        with pytest.raises(AssertionError):
            routing._command(unknown)

    def test_needs_the_service_key_before_anything_else(self, story):
        async def strangers(service):
            for path in (ROOM, "/parties/nosuch/K7PQ2M"):
                answer = await service.post(path + "/control", b"nonsense", 401, key="wrong")
                assert answer["error"]["code"] == "UNAUTHORIZED"

        story(strangers)

    def test_refuses_what_it_does_not_know(self, story):
        async def refused(service):
            path = ROOM + "/control"
            body: Any
            for body in ({}, {"action": "explode"}, {"action": 5}, b"{", b"[]", b""):
                assert (await service.post(path, body, 400))["error"]["code"] == "BAD_REQUEST"
            for player_id in (None, "", "é", "x" * 129):
                body = {"action": "remove", "playerId": player_id}
                error = (await service.post(path, body, 400))["error"]
                assert error["details"][0]["path"] == "playerId"
            missing = await service.post(path, {"action": "close"}, 404)
            assert missing["error"]["code"] == "ROOM_NOT_FOUND"

        story(refused)

    def test_reads_a_body_up_to_its_own_limit(self, story):
        async def measured(service):
            await service.post(ROOM + "/register", ALICE)
            body = b'{"action": "retry-alarms"}'.ljust(SERVICE_BODY_MAX_BYTES)
            await service.post(ROOM + "/control", body)
            error = (await service.post(ROOM + "/control", body + b" ", 413))["error"]
            assert error["code"] == "PAYLOAD_TOO_LARGE"

        story(measured)
