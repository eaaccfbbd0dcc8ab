import pytest

from lobby.asgi import LobbyApplication

PAGE = "http://localhost:3000"  # allowed in development


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
    assert response.headers["access-control-allow-headers"] == "Content-Type, Idempotency-Key"


@pytest.mark.parametrize("path", ["/api/rooms", "/api/rooms/ROOM23/join", "/api/rooms/ROOM23"])
def test_it_may_read_every_answer(browser, path):
    response = browser.post(path, json={"username": "a"}, headers={"origin": PAGE})
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["access-control-expose-headers"] == "Retry-After"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", PAGE + ".evil.example", PAGE + "/", "", "\\", "*"]
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


def test_the_list_comes_from_the_settings(settings):
    assert PAGE in settings.GREENROOM.allowed_origins
    origins = LobbyApplication().service._origins
    assert origins == {origin.encode() for origin in settings.GREENROOM.allowed_origins}
