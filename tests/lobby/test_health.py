import asyncio
import threading

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from contracts.errors import Code
from lobby import health
from lobby.asgi import LobbyApplication
from tests.support.browser import in_process


@pytest.fixture(autouse=True)
def forget():
    health._migrations.cache_clear()
    yield
    health._migrations.cache_clear()


def test_a_lobby_that_lives_says_so_without_a_query(browser):
    response = browser.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "checks": {}})


@pytest.mark.django_db
class TestReadiness:
    def test_with_everything_there(self, browser):
        response = browser.get("/readyz")
        assert response.status_code == 200
        assert response.json() == {
            "status": "ok",
            "checks": {"database": "ok", "migrations": "ok", "realtime": "ok"},
        }

    def test_without_the_realtime_service_is_degraded(self, browser, realtime):
        realtime.fails(httpx.ConnectError("refused"))
        response = browser.get("/readyz")
        assert response.status_code == 200
        assert response.json()["status"] == "degraded"
        assert response.json()["checks"]["realtime"] == "unreachable"

    def test_with_a_key_that_is_refused_is_degraded_and_says_so(self, browser, realtime):
        realtime.refuses(Code.UNAUTHORIZED)
        response = browser.get("/readyz")
        assert response.status_code == 200
        assert response.json()["status"] == "degraded"
        assert response.json()["checks"]["realtime"] == "refuses the service key"

    def test_without_its_tables_is_unavailable(self, browser, monkeypatch):
        monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: ["one"])
        response = browser.get("/readyz")
        assert response.status_code == 503
        assert response.json()["checks"]["migrations"] == "not applied"

    def test_without_a_database_is_degraded_and_says_no_more(self, browser, monkeypatch):
        """The API needs none."""

        def refuse():
            raise OSError("no route to db.internal as user greenroom")

        monkeypatch.setattr(connection, "cursor", refuse)
        response = browser.get("/readyz")
        assert response.status_code == 200
        assert response.json() == {
            "status": "degraded",
            "checks": {"database": "failed", "migrations": "not asked", "realtime": "ok"},
        }
        assert "db.internal" not in response.text

    def test_reads_the_migrations_until_they_are_there_and_then_no_more(
        self, browser, django_assert_num_queries
    ):
        browser.get("/readyz")
        with django_assert_num_queries(2):
            browser.get("/readyz")

    def test_is_checked_once_for_all_who_ask_at_once(
        self, browser, realtime, django_assert_num_queries
    ):
        browser.get("/readyz")
        realtime.asked.clear()
        with django_assert_num_queries(2):
            answers = async_to_sync(ask)(300)
        assert {answer.json()["status"] for answer in answers} == {"ok"}
        assert len(realtime.asked) == 1

    def test_is_checked_again_for_the_next(self, browser, realtime):
        for asked in (1, 2):
            browser.get("/readyz")
            assert len(realtime.asked) == asked


def test_a_check_that_hangs_holds_one_thread_and_nobody(browser, monkeypatch):
    threads, over = [], threading.Event()

    def hangs():
        threads.append(threading.get_ident())
        over.wait(5)
        return {}

    async def impatient():
        answers = [*await ask(2), *await ask(2)]
        over.set()
        return answers

    monkeypatch.setattr(health, "CHECKED_WITHIN_S", 0.05)
    monkeypatch.setattr(health, "_storage", hangs)
    answers = asyncio.run(impatient())
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json()["status"] == "degraded"
    assert answers[0].json()["checks"]["database"] == "no answer in time"
    assert len(threads) == 1


async def ask(callers):
    """Everybody at once."""
    transport = in_process(LobbyApplication())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await asyncio.gather(*(client.get("/readyz") for _ in range(callers)))
