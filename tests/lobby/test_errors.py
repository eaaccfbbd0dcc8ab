import pytest
from rest_framework import exceptions

from contracts.errors import Code
from lobby.errors import exception_handler


def handled(error):
    return exception_handler(error, {"view": None})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (exceptions.Throttled(wait=3), 429),
        (exceptions.UnsupportedMediaType("x"), 415),
        (exceptions.NotFound(), 404),
        (exceptions.NotAcceptable(), 404),
        (exceptions.ParseError("at line 3 of /srv/secret.py"), 400),
        (exceptions.PermissionDenied("because of x"), 400),
    ],
)
def test_what_the_framework_raises_is_canonical(error, status):
    response = handled(error)
    assert response.status_code == status
    assert b"secret" not in response.content
    assert b"because" not in response.content


def test_throttled_says_for_how_long():
    assert handled(exceptions.Throttled(wait=2.5))["Retry-After"] == "3"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/rooms//join"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_paths_of_the_api(browser, method, path):
    response = browser.request(method, path)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == Code.NOT_FOUND


@pytest.mark.django_db
def test_unknown_paths_elsewhere(browser):
    response = browser.get("/nothing")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == Code.NOT_FOUND


class TestABug:
    @pytest.fixture
    def ask(self, browser, service, monkeypatch):
        def explode(*_):
            raise KeyError("what a player wrote")

        monkeypatch.setattr(service, "join", explode)
        return lambda: browser.post("/api/rooms/ROOM23/join", json={"username": "a"})

    def test_is_a_canonical_500_that_says_nothing(self, ask):
        response = ask()
        assert response.status_code == 500
        assert response.json()["error"]["code"] == "INTERNAL_ERROR"
        assert "KeyError" not in response.text
        assert "wrote" not in response.text

    def test_is_in_the_log_under_the_number_that_the_caller_has(self, ask, caplog):
        number = ask().json()["error"]["message"].split("error ")[1].rstrip(")")
        [record] = caplog.records
        assert number in record.getMessage()
        assert "wrote" not in caplog.text


@pytest.mark.django_db
def test_a_host_that_django_does_not_know(browser, settings):
    settings.ALLOWED_HOSTS = ["lobby.example"]
    response = browser.get("/admin/")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == Code.BAD_REQUEST
    assert "ALLOWED_HOSTS" in response.json()["error"]["message"]


@pytest.mark.django_db
def test_any_other_request_that_django_itself_refuses(browser):
    response = browser.get("/admin/login/?" + "&".join(f"{number}=" for number in range(1001)))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == Code.BAD_REQUEST


@pytest.mark.django_db
def test_a_bug_outside_the_api(browser, monkeypatch):
    def explode(*_):
        raise KeyError("what a player wrote")

    monkeypatch.setattr(
        "django.contrib.sessions.middleware.SessionMiddleware.process_request", explode
    )
    response = browser.get("/admin/")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == Code.INTERNAL_ERROR
    assert "wrote" not in response.text
