"""Both tiers on a PostgreSQL with PgBouncer before it, or with what else DATABASE_URL can say."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager

import httpx
import psycopg
import pytest

from scripts.lib.bootstrap import ROOT
from tests.e2e.conftest import both_tiers, places
from tests.faultlab.postgres import Postgres, programs
from tests.support.databases import PostgresDatabase, manage
from tests.support.pgbouncer import PgBouncer
from tests.support.servers import bare_environ, server, until
from tests.support.services import POSTGRESQL, leave_out, need_postgresql
from tests.support.site import Site

HANGS_S = 60
SHARED = "a connection pooler before PostgreSQL gives one session to several clients"
OPTIONS_IGNORED = "ignore_startup_parameters = options"


@pytest.fixture(scope="module")
def tables():
    with PostgresDatabase.scratch(need_postgresql()) as database:
        manage(database, "migrate", "--noinput", "--verbosity=0")
        yield database


@pytest.fixture
def database(tables, tmp_path):
    with tables.copy(tmp_path) as copied:
        yield copied


@contextmanager
def pooled(database, folder, mode):
    """The database by way of a pooler."""
    with PgBouncer(folder, database.url, mode, more=OPTIONS_IGNORED) as pooler:
        yield PostgresDatabase(pooler.url(database.url))


def run(*arguments, **environ):
    """A program of Greenroom's that should come to an end by itself."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**bare_environ(), **environ},
        capture_output=True,
        text=True,
        timeout=HANGS_S,
    )


def started(database):
    """A realtime process that should not start: its status, and the sentence."""
    done = run("-m", "realtime", **database.environ, **places(), GREENROOM_TIER="realtime")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr.removeprefix("greenroom: ")


def claims(database):
    query = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    return database.rows(query)[0][0]


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_shares_sessions_is_refused_and_left_as_it_was(database, tmp_path, mode):
    with pooled(database, tmp_path, mode) as through:
        for _ in range(2):
            status, said = started(through)
            assert status == 1
            assert said.startswith(SHARED)
        migrated = run("manage.py", "migrate", **through.environ)
        assert (migrated.returncode, migrated.stderr.count("\n")) == (1, 1)
        assert migrated.stderr.startswith(f"greenroom: {SHARED}")
        assert claims(database) == 0
        with psycopg.connect(through.url, autocommit=True) as another:
            assert another.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_a_lobby_behind_one_serves_its_api_and_says_what_is_wrong(database, tmp_path):
    environ = {**places(), "RATE_LIMITS": "off"}
    realtime = server("realtime", {**environ, **database.environ}, tmp_path)
    with pooled(database, tmp_path, "transaction") as through, realtime:
        lobby = server("lobby", {**environ, **through.environ}, tmp_path)
        with lobby:
            site = Site(realtime, database, lobby)
            assert site.room("alice")["isHost"]
            assert degraded(lobby).startswith(SHARED)
            assert SHARED in lobby.said


def test_with_a_session_for_each_client_all_is_as_without_a_pooler(database, tmp_path):
    with pooled(database, tmp_path, "session") as through:
        manage(through, "migrate", "--noinput", "--verbosity=0")
        with both_tiers(through, tmp_path) as site:
            room = site.room("alice")
            assert site.join(room["roomId"], "bob").status_code == 200
            ready = httpx.get(f"{site.lobby.url}/readyz").json()
            assert set(ready["checks"].values()) == {"ok"}
            status, said = started(through)
            assert status == 1
            assert said.startswith("another realtime process uses this database")
            site.realtime.kill()
            until(lambda: not claims(database))
            site.realtime.up()
            assert site.join(room["roomId"], "carol").status_code == 200
        until(lambda: not claims(database))


def test_a_schema_of_its_own_may_be_named_in_the_url(database, tmp_path):
    with psycopg.connect(database.url) as connection:
        connection.execute("CREATE SCHEMA elsewhere")
    elsewhere = PostgresDatabase(f"{database.url}?options=-c%20search_path%3Delsewhere")
    assert "run manage.py migrate" in started(elsewhere)[1]
    manage(elsewhere, "migrate", "--noinput", "--verbosity=0")
    with both_tiers(elsewhere, tmp_path) as site:
        room = site.room("alice")
        assert site.join(room["roomId"], "bob").status_code == 200
        assert httpx.get(f"{site.lobby.url}/readyz").json()["status"] == "ok"
    query = "SELECT (SELECT count(*) FROM elsewhere.rooms), (SELECT count(*) FROM public.rooms)"
    assert database.rows(query) == [(1, 0)]


@pytest.mark.parametrize("arguments", [["-m", "realtime"], ["-m", "lobby"], ["manage.py", "check"]])
def test_a_keyword_that_cannot_be_is_refused_by_every_program(database, arguments):
    done = run(*arguments, **places(), DATABASE_URL=f"{database.url}?pool=hush")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("greenroom: DATABASE_URL has 'pool' behind the ?")
    assert "hush" not in done.stderr


def degraded(lobby):
    """What a lobby that is degraded says of its database."""
    ready = httpx.get(f"{lobby.url}/readyz", timeout=HANGS_S)
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    return ready.json()["checks"]["database"]


def test_a_lobby_that_its_database_turns_away_goes_on(database, tmp_path):
    """The API needs none."""
    name = database.url.rpartition("/")[2]
    server_itself = psycopg.connect(need_postgresql(), autocommit=True)
    with server_itself as admin, both_tiers(database, tmp_path) as site:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        assert degraded(site.lobby) == "takes no connections"
        assert site.room("alice")["isHost"]
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert httpx.get(f"{site.lobby.url}/readyz").json()["status"] == "ok"
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        assert degraded(site.lobby) == "takes no writes"


def test_so_does_one_for_which_there_is_no_connection_left(tmp_path):
    if not programs():
        leave_out(POSTGRESQL)
    with Postgres() as postgres, ExitStack() as others:
        database = PostgresDatabase(postgres.url)
        manage(database, "migrate", "--noinput", "--verbosity=0")
        with both_tiers(database, tmp_path) as site:
            with pytest.raises(psycopg.OperationalError, match="too many clients"):
                take_every_connection(postgres, others)
            assert degraded(site.lobby) == "has no connection left"
            assert "too many clients" in site.lobby.said
            assert site.room("alice")["isHost"]
            others.close()
            until(lambda: httpx.get(f"{site.lobby.url}/readyz").json()["status"] == "ok")


def take_every_connection(postgres, others):
    while True:
        others.enter_context(postgres.connect())
