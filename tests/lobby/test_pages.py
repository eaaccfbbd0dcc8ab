import asyncio
import threading

import httpx
import pytest
from django.http import HttpResponse, StreamingHttpResponse

from lobby import pages
from lobby.asgi import LobbyApplication
from tests.support.browser import in_process

FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"

pytestmark = pytest.mark.django_db


class TestTheAdmin:
    def test_has_its_sessions_and_forms(self, browser):
        page = browser.get("/admin/login/")
        assert page.status_code == 200
        assert "csrfmiddlewaretoken" in page.text
        assert "csrftoken" in page.cookies
        assert page.headers["x-frame-options"] == "DENY"

    def test_sends_strangers_to_its_door(self, browser):
        response = browser.get("/admin/realtime/")
        assert response.status_code == 302
        assert response.headers["location"].startswith("/admin/login/")

    def test_refuses_forms_without_their_token(self, browser):
        assert browser.post("/admin/login/", data={"username": "root"}).status_code == 403

    def test_lets_in_who_has_the_password(self, browser, admin_user):
        token = browser.get("/admin/login/").cookies["csrftoken"]
        form = {"username": "admin", "password": "password", "csrfmiddlewaretoken": token}
        answer = browser.post("/admin/login/", params={"next": "/admin/"}, data=form)
        assert (answer.status_code, answer.headers["location"]) == (302, "/admin/")
        assert "sessionid" in answer.cookies
        assert browser.get("/admin/").status_code == 200


class TestFiles:
    def test_of_the_documentation_are_served(self, browser):
        answer = browser.get(FILE)
        assert answer.status_code == 200
        assert len(answer.content) == int(answer.headers["content-length"]) > 100_000

    def test_may_be_asked_about(self, browser):
        answer = browser.head(FILE)
        assert int(answer.headers["content-length"]) > 100_000
        assert not answer.content

    def test_that_the_browser_has_are_not_sent_again(self, browser):
        etag = browser.get(FILE).headers["etag"]
        answer = browser.get(FILE, headers={"if-none-match": etag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert not {"content-length", "content-type"} & answer.headers.keys()


def test_a_page_that_breaks_off_is_an_error_and_let_go_of(browser, monkeypatch):
    def breaks_off():
        yield b"half"
        raise OSError("the disk")

    response = StreamingHttpResponse(breaks_off())
    monkeypatch.setattr("lobby.pages.Pages.get_response", lambda *_: response)
    answer = browser.get("/admin/")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "INTERNAL_ERROR"
    assert response.closed


def test_more_than_may_wait_are_refused_at_once_and_only_they(browser, monkeypatch):
    go_on = threading.Event()

    def slow(*_):
        go_on.wait(5)
        return HttpResponse("made")

    async def crowd():
        transport = in_process(LobbyApplication())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            asking = [asyncio.create_task(client.get("/admin/")) for _ in range(3)]
            ((refused,), waiting) = await asyncio.wait(asking, return_when="FIRST_COMPLETED")
            go_on.set()
            made = [*await asyncio.gather(*waiting), await client.get("/admin/")]
            return refused.result(), made

    monkeypatch.setattr(pages, "WAITING_MAX", 2)
    monkeypatch.setattr(pages.Pages, "get_response", slow)
    refused, made = asyncio.run(crowd())
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "RATE_LIMITED")
    assert refused.headers["retry-after"] == "1"
    assert [page.text for page in made] == ["made"] * 3
