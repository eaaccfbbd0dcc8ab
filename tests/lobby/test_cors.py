from dataclasses import replace

import httpx
import pytest

from lobby.asgi import LobbyApplication
from tests.support.browser import AsgiTransport

PAGE = "http://localhost:5173"  # allowed in development
TRACING = ["traceparent", "tracestate", "baggage", "sentry-trace", "x-request-id"]


def preflight(browser, origin, path="/api/rooms"):
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,idempotency-key",
    }
    return browser.options(path, headers=headers)


def test_an_allowed_page_may_ask(browser):
    response = preflight(browser, PAGE)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == PAGE
    assert "POST" in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].split(", ")
    assert {"Content-Type", "Idempotency-Key", *TRACING} == set(allowed)


@pytest.mark.parametrize("path", ["/api/rooms", "/api/rooms/ROOM23/join", "/api/rooms/ROOM23"])
def test_it_may_read_every_answer(browser, path):
    response = browser.post(path, json={"username": "a"}, headers={"origin": PAGE})
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["access-control-expose-headers"] == "Retry-After"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "nul", PAGE + ".evil.example", PAGE + "/", "", "\\", "*"]
)
def test_no_other_page_may(browser, origin):
    for response in (
        preflight(browser, origin),
        browser.post("/api/rooms", json={"username": "a"}, headers={"origin": origin}),
    ):
        assert "access-control-allow-origin" not in response.headers


def test_caches_keep_answers_for_different_pages_apart(browser):
    assert browser.get("/api/rooms/ROOM23").headers["vary"] == "Origin"


def test_cookies_play_no_part(browser):
    response = browser.post("/api/rooms", json={"username": "a"}, headers={"origin": PAGE})
    assert "access-control-allow-credentials" not in response.headers
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("origin", ["null", "https://localhost", "http://[::1]:8080"])
def test_in_development_pages_of_this_machine_and_from_files_may(browser, origin):
    assert preflight(browser, origin).headers["access-control-allow-origin"] == origin


@pytest.fixture
def production(browser, settings):
    """A lobby that lets in only who is named."""
    named = ("capacitor://localhost", "https://*.preview.example.org")
    settings.GREENROOM = replace(settings.GREENROOM, mode="production", allowed_origins=named)
    transport = AsgiTransport(LobbyApplication())
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize("origin", ["capacitor://localhost", "https://pr-17.preview.example.org"])
def test_in_production_the_named_ones_may(production, origin):
    assert preflight(production, origin).headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", [PAGE, "null", "https://a.b.preview.example.org"])
def test_in_production_no_other_may_and_the_log_says_what_to_set(production, origin, caplog):
    for _ in range(2):
        assert "access-control-allow-origin" not in preflight(production, origin).headers
    (line,) = caplog.messages
    assert line.endswith(
        f"set ALLOWED_ORIGINS=capacitor://localhost,https://*.preview.example.org,{origin}"
    )


def test_the_lobbys_own_pages_are_not_logged(production, caplog):
    production.post("/api/rooms", json={"username": "a"}, headers={"origin": "http://localhost"})
    assert caplog.messages == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/api/rooms", 200),
        ("GET", "/api/nothing", 404),
        ("DELETE", "/api/rooms", 405),
        ("GET", "/api/schema", 200),
        ("GET", "/api/docs", 200),
        ("OPTIONS", "/api/schema", 204),
        ("DELETE", "/api/schema", 405),
        ("GET", "/nothing", 404),
        ("GET", "/admin/", 302),
        ("GET", "/static/nothing", 404),
    ],
)
def test_an_allowed_page_may_read_every_answer_of_every_path(browser, method, path, status):
    response = browser.request(method, path, headers={"origin": PAGE})
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == PAGE
    assert "Origin" in response.headers.get_list("vary")
    foreign = browser.request(method, path, headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers
    assert preflight(browser, PAGE, path).status_code == 204
