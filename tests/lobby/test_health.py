import httpx
import pytest
from django.db import connection

from lobby import health


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

    def test_without_its_tables_is_unavailable(self, browser, monkeypatch):
        monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda *_: ["one"])
        response = browser.get("/readyz")
        assert response.status_code == 503
        assert response.json()["checks"]["migrations"] == "not applied"

    def test_without_a_database_is_unavailable_and_says_no_more(self, browser, monkeypatch):
        def refuse():
            raise OSError("no route to db.internal as user greenroom")

        monkeypatch.setattr(connection, "cursor", refuse)
        response = browser.get("/readyz")
        assert response.status_code == 503
        assert response.json()["checks"]["database"] == "failed"
        assert "db.internal" not in response.text

    def test_reads_the_migrations_until_they_are_there_and_then_no_more(
        self, browser, django_assert_num_queries
    ):
        browser.get("/readyz")
        with django_assert_num_queries(1):
            browser.get("/readyz")
