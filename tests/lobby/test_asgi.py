import asyncio
import json

import pytest

from contracts import bodies
from contracts.limits import BODY_MAX_BYTES
from lobby.asgi import LobbyApplication

PAGES_MAX_BYTES = 2_621_440  # Django's default


class Caller:
    """One request, told in pieces; what comes after the last piece is up to `then`."""

    def __init__(self, *pieces, then="silence", method="POST", path="/api/rooms", **more):
        self._events = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        self._then = then
        self.received = 0
        self.heard = []
        headers = more.pop("headers", {b"content-type": b"application/json"})
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": list(headers.items()),
            **more,
        }

    def call(self):
        asyncio.run(LobbyApplication()(self.scope, self._receive, self._send))
        return self

    @property
    def status(self):
        return self.heard[0]["status"]

    @property
    def headers(self):
        return dict(self.heard[0]["headers"])

    @property
    def body(self):
        return b"".join(event["body"] for event in self.heard[1:])

    @property
    def code(self):
        return json.loads(self.body)["error"]["code"]

    async def _receive(self):
        if self.received < len(self._events):
            self.received += 1
            return self._events[self.received - 1]
        if self._then == "silence":
            await asyncio.Event().wait()
        return {"type": self._then}

    async def _send(self, event):
        self.heard.append(event)


def whole(**more):
    """A caller who sends no body and waits."""
    return Caller(**{"then": "http.request", "method": "GET", "path": "/healthz", **more})


@pytest.fixture(autouse=True)
def _wired(browser):
    """The lobby under test is the one whose realtime service is the double."""


class TestABody:
    def test_that_breaks_off_is_not_taken_for_a_whole_one(self, realtime):
        caller = Caller(b'{"username": "a"}', then="http.disconnect").call()
        assert not caller.heard
        assert not realtime.asked

    @pytest.mark.parametrize("path", ["/api/rooms", "/admin/login/"])
    def test_that_does_not_come_is_not_waited_for(self, realtime, monkeypatch, path):
        monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.05)
        caller = Caller(b'{"user', path=path).call()
        assert (caller.status, caller.code) == (400, "BAD_REQUEST")
        assert caller.headers[b"connection"] == b"close"
        assert not realtime.asked

    def test_may_take_ten_seconds(self):
        assert bodies.BODY_WITHIN_S == 10

    def test_is_read_until_it_is_too_large_and_no_further(self, realtime):
        caller = Caller(*[b" " * 1024] * 1000).call()
        assert (caller.status, caller.code) == (413, "PAYLOAD_TOO_LARGE")
        assert caller.received == BODY_MAX_BYTES / 1024 + 1
        assert not realtime.asked

    @pytest.mark.parametrize("path", ["/", "/api/docs", "/api/schema", "/static/a", "/adminer/"])
    def test_of_a_page_without_a_form_is_not_read(self, path):
        caller = Caller(b"a=b", path=path, headers={b"host": b"localhost"}).call()
        assert caller.status in (404, 405)
        assert caller.received == 0

    def test_of_a_page_has_a_limit_as_well(self, settings):
        assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == PAGES_MAX_BYTES
        caller = Caller(*[b" " * 1024 * 256] * 100, path="/admin/login/").call()
        assert (caller.status, caller.code) == (413, "PAYLOAD_TOO_LARGE")
        assert caller.received == PAGES_MAX_BYTES / 1024 / 256 + 1
        assert caller.headers[b"connection"] == b"close"


class TestARequestThatIsNoText:
    @pytest.mark.parametrize("path", ["/api/rooms/ROOM23", "/admin/login/"])
    @pytest.mark.parametrize(
        "more",
        [
            {"query_string": b"party=\xff"},
            {"headers": {b"content-type": b"application/json; a*=bogus''%41"}},
        ],
    )
    def test_is_a_bad_one(self, path, more):
        caller = whole(path=path, **more).call()
        assert (caller.status, caller.code) == (400, "BAD_REQUEST")
        assert caller.headers[b"x-content-type-options"] == b"nosniff"

    def test_or_has_a_thousand_fields_is_another(self):
        query = b"&".join(b"%d=" % n for n in range(1001))
        caller = whole(path="/api/rooms/ROOM23", query_string=query).call()
        assert (caller.status, caller.code) == (400, "BAD_REQUEST")


class TestARefusalBeforeTheView:
    def test_may_be_read_by_an_allowed_page(self):
        headers = {b"origin": b"http://localhost:3000"}
        caller = whole(path="/api/rooms/ROOM23", query_string=b"party=\xff", headers=headers).call()
        assert caller.status == 400
        assert caller.headers[b"access-control-allow-origin"] == b"http://localhost:3000"
        assert caller.headers[b"vary"] == b"Origin"

    @pytest.mark.parametrize("path", ["/admin/login/", "/api/schema", "/nothing"])
    def test_of_a_page_of_ours_too(self, path):
        headers = {b"origin": b"http://localhost:3000"}
        caller = whole(path=path, query_string=b"a=\xff", headers=headers).call()
        assert caller.status == 400
        assert caller.headers[b"access-control-allow-origin"] == b"http://localhost:3000"
        assert b"access-control-allow-credentials" not in caller.headers

    def test_that_comes_of_a_body_too_late_as_well(self, monkeypatch):
        monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.05)
        headers = {b"origin": b"http://localhost:3000", b"content-type": b"application/json"}
        caller = Caller(b'{"user', headers=headers).call()
        assert caller.status == 400
        assert caller.headers[b"access-control-allow-origin"] == b"http://localhost:3000"
        assert caller.headers[b"x-content-type-options"] == b"nosniff"


class TestAnAnswer:
    def test_to_head_is_that_to_get_without_its_body(self):
        get, head = whole().call(), whole(method="HEAD").call()
        assert get.body
        assert not head.body
        assert (head.status, head.headers) == (get.status, get.headers)

    def test_without_content_has_no_length(self):
        caller = whole(method="OPTIONS", path="/api/rooms").call()
        assert caller.status == 204
        assert b"content-length" not in caller.headers

    def test_has_one_of_each_header(self):
        names = [name for name, _ in whole().call().heard[0]["headers"]]
        assert len(names) == len(set(names))
        assert all(name.islower() for name in names)

    def test_sets_no_cookie_and_needs_no_form_token(self, browser):
        response = browser.post("/api/rooms", json={"username": "a"})
        assert response.status_code == 201
        assert "set-cookie" not in response.headers


class TestABugBeforeTheView:
    def test_is_a_canonical_500_and_in_the_log(self, monkeypatch, caplog):
        def explode(*_):
            raise KeyError("what a player wrote")

        monkeypatch.setattr("contracts.cors.preflight", explode)
        caller = whole().call()
        assert (caller.status, caller.code) == (500, "INTERNAL_ERROR")
        assert caller.headers[b"content-type"] == b"application/json"
        assert b"wrote" not in caller.body
        assert "KeyError in explode" in caplog.text
        assert "wrote" not in caplog.text


class TestWhatIsNoRequest:
    def test_a_socket_is_refused(self):
        assert Caller(type="websocket").call().heard == [{"type": "websocket.close"}]

    def test_a_lifespan_is_the_servers_to_do_without(self):
        with pytest.raises(ValueError, match="lifespan"):
            Caller(type="lifespan").call()
