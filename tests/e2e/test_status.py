"""`/status` while something that players need is gone, and what `/readyz` says of it."""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.e2e.conftest import both_tiers, places
from tests.support.databases import PostgresDatabase, manage
from tests.support.servers import server, until
from tests.support.services import need_postgresql
from tests.support.site import Site, refusal

WITHIN_S = 30.0
OTHER_KEY = "another-service-key-0123456789"


@pytest.fixture(scope="module")
def whole(any_migrated, canary, tmp_path_factory):
    """Both tiers. A test that takes something away gives it back."""
    folder = tmp_path_factory.mktemp("whole")
    with any_migrated.copy(folder) as database, both_tiers(database, folder) as site:
        yield canary.hears(site)


def becomes(site, status, realtime):
    """Wait until /status has this status, and /readyz says so of the realtime service."""
    said = {200: "ok", 503: "unavailable"}[status]
    until(lambda: told(site) == (status, {"status": said}), WITHIN_S)
    until(lambda: checked(site) == realtime, WITHIN_S)


def told(site):
    answer = site.http.get(site.lobby.url + "/status")
    return answer.status_code, answer.json()


def checked(site):
    ready = site.http.get(site.lobby.url + "/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == (
        "ok" if ready.json()["checks"]["realtime"] == "ok" else "degraded"
    )
    return ready.json()["checks"]["realtime"]


def test_a_realtime_service_that_is_killed(whole):
    becomes(whole, 200, "ok")
    whole.realtime.kill()
    becomes(whole, 503, "unreachable")
    whole.realtime.up()
    becomes(whole, 200, "ok")


def test_a_realtime_service_that_hangs(whole):
    os.killpg(whole.realtime.leader.pid, signal.SIGSTOP)
    becomes(whole, 503, "unreachable")
    os.killpg(whole.realtime.leader.pid, signal.SIGCONT)
    becomes(whole, 200, "ok")


def test_a_realtime_service_with_another_key(whole):
    """Nothing but the keys differs, and both are there and well."""
    whole.realtime.kill()
    other = whole.realtime.with_environ(GREENROOM_SERVICE_KEY=OTHER_KEY)
    with other:
        becomes(whole, 503, "refuses the service key")
        assert refusal(whole.create()) == (502, "INTERNAL_ERROR")
        until(lambda: "it refused our service key" in whole.lobby.said)
        assert OTHER_KEY not in whole.lobby.said
    whole.realtime.up()
    becomes(whole, 200, "ok")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets another process's limits")
def test_a_realtime_service_that_may_open_no_more_files(whole):
    """It answers who is connected, and nobody else can connect."""
    with closing(whole.http.get(whole.realtime.url + "/readyz")), no_more_files(whole.realtime):
        until(lambda: told(whole)[0] == 503, WITHIN_S)
        until(lambda: checked(whole) in ("takes no sockets", "unreachable"), WITHIN_S)
    becomes(whole, 200, "ok")
    whole.realtime.news()  # it may well have complained


@contextmanager
def no_more_files(server):
    leader = server.leader.pid
    (service,) = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
    soft, hard = resource.prlimit(int(service), resource.RLIMIT_NOFILE)
    resource.prlimit(int(service), resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(int(service), resource.RLIMIT_NOFILE, (soft, hard))


def test_one_of_two_processes_is_enough(any_migrated, tmp_path, canary):
    with ExitStack() as stack:
        first = stack.enter_context(any_migrated.copy(tmp_path / "first"))
        second = stack.enter_context(any_migrated.copy(tmp_path / "second"))
        realtime = [
            server("realtime", {**one.environ, **places()}, tmp_path) for one in (first, second)
        ]
        urls = ",".join(one.url for one in realtime)
        environ = {**first.environ, **places(), "REALTIME_URL": urls, "RATE_LIMITS": "off"}
        lobby = server("lobby", environ, tmp_path)
        for one in (*realtime, lobby):
            stack.enter_context(one)
        site = canary.hears(Site(realtime[0], first, lobby))
        becomes(site, 200, "ok")
        realtime[0].kill()
        becomes(site, 200, "1 of 2 ok, 1 unreachable")
        assert [site.create().status_code for _ in range(8)] == [201] * 8
        realtime[1].kill()
        becomes(site, 503, "0 of 2 ok, 2 unreachable")
        realtime[0].up()
        with realtime[1].with_environ(GREENROOM_SERVICE_KEY=OTHER_KEY):
            becomes(site, 200, "1 of 2 ok, 1 refuses the service key")
            assert [site.create().status_code for _ in range(8)] == [201] * 8


def test_a_database_that_takes_no_connections(tmp_path, canary):
    """The lobby's is another one: it has no need of it, and would be not ready itself."""
    server_url = need_postgresql()
    with PostgresDatabase.scratch(server_url) as kept, PostgresDatabase.scratch(server_url) as own:
        for database in (kept, own):
            manage(database, "migrate", "--noinput", "--verbosity=0")
        environ = {**places(), "RATE_LIMITS": "off"}
        realtime = server("realtime", {**kept.environ, **environ}, tmp_path)
        lobby = server("lobby", {**own.environ, **environ}, tmp_path)
        with realtime, lobby:
            site = canary.hears(Site(realtime, kept, lobby))
            becomes(site, 200, "ok")
            with closed_to_all(kept, server_url):
                becomes(site, 503, "not ready")
            becomes(site, 200, "ok")


@contextmanager
def closed_to_all(database, server_url):
    name = database.url.rpartition("/")[2]
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
