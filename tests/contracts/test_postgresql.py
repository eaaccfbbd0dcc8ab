"""Sessions with a real PostgreSQL, and through PgBouncer: as asked, or refused in a sentence."""

from contextlib import closing, contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from contracts import postgresql
from contracts.postgresql import Unfit, open_session
from tests.support.databases import PostgresDatabase
from tests.support.pgbouncer import PgBouncer
from tests.support.services import need_postgresql

LIMITS = {"statement_timeout": "1234", "search_path": "pg_catalog, public"}


@pytest.fixture(scope="module")
def database():
    with PostgresDatabase.scratch(need_postgresql()) as database:
        yield database


@pytest.fixture(params=["transaction", "statement"])
def sharing(request, tmp_path, database):
    """The way to the database through a pooler that shares sessions."""
    with PgBouncer(tmp_path, database.url, request.param) as pooler:
        yield pooler.url(database.url)


@contextmanager
def encoded(encoding):
    """A database that is encoded so."""
    url, name = need_postgresql(), f"greenroom_test_{uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as server:
        how = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        server.execute(f"CREATE DATABASE {name} {how}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            server.execute(f"DROP DATABASE {name}")


def opened(url, **params):
    """An open session, to be closed."""
    return closing(open_session({"conninfo": url, "autocommit": True, **params}))


def shown(connection, name):
    return connection.execute(f"SHOW {name}").fetchone()[0]


def locks(database):
    query = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    return database.rows(query)[0][0]


def test_what_a_session_relies_on_holds_whatever_the_database_says(database):
    name = database.url.rpartition("/")[2]
    usual = {
        "synchronous_commit": ("off", "on"),
        "datestyle": ("German", "ISO, MDY"),
        "bytea_output": ("escape", "hex"),
        "client_encoding": ("LATIN1", "UTF8"),
        "standard_conforming_strings": ("off", "on"),
        "default_transaction_isolation": ("serializable", "read committed"),
        "statement_timeout": ("1", "1234ms"),
    }
    with psycopg.connect(need_postgresql(), autocommit=True) as server:
        for setting, (said, _) in usual.items():
            server.execute(f"ALTER DATABASE {name} SET {setting} = '{said}'")
        try:
            with opened(database.url, session=LIMITS) as session:
                for setting, (_, meant) in usual.items():
                    assert shown(session, setting) == meant
                assert shown(session, "search_path") == "pg_catalog, public"
                assert session.execute("SELECT 'Łukasz'").fetchone() == ("Łukasz",)
        finally:
            server.execute(f"ALTER DATABASE {name} RESET ALL")


def test_a_database_that_waits_for_more_than_its_own_disk_goes_on_doing_so(database):
    with opened(database.url, options="-c synchronous_commit=remote_apply") as session:
        assert shown(session, "synchronous_commit") == "remote_apply"


def test_a_setting_that_there_is_not_is_named(database):
    with pytest.raises(psycopg.Error, match="no_such_setting"):
        open_session({"conninfo": database.url, "session": {"no_such_setting": "1"}})


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_utf8_is_refused(encoding):
    with encoded(encoding) as url, pytest.raises(Unfit) as refused:
        open_session({"conninfo": url})
    name = url.rpartition("/")[2]
    assert str(refused.value).startswith(f"the database {name} is encoded {encoding}, which")
    assert "createdb --encoding=UTF8" in str(refused.value)


def test_an_old_server_is_refused(database, monkeypatch):
    monkeypatch.setattr(postgresql, "VERSION_MIN", 99)
    with pytest.raises(Unfit, match="is too old: Greenroom needs 99 or newer"):
        open_session({"conninfo": database.url})


def test_a_pooler_that_shares_sessions_is_refused(sharing):
    for _ in range(3):
        with pytest.raises(Unfit, match="gives one session to several clients"):
            open_session({"conninfo": sharing, "session": LIMITS})


def test_so_is_one_that_hands_its_sessions_round(tmp_path, database):
    round_robin = "server_round_robin = 1\nmin_pool_size = 3"
    with PgBouncer(tmp_path, database.url, "transaction", more=round_robin) as pooler:
        busy = [psycopg.connect(pooler.url(database.url)) for _ in range(3)]
        for other in busy:  # so there are three sessions to hand round
            other.execute("SELECT 1")
        for other in busy:
            other.close()
        with pytest.raises(Unfit, match="gives one session to several clients"):
            open_session({"conninfo": pooler.url(database.url)})


def test_a_refusal_leaves_nothing_behind(sharing, database):
    with pytest.raises(Unfit):
        open_session({"conninfo": sharing, "session": LIMITS})
    with psycopg.connect(sharing, autocommit=True) as another:
        assert shown(another, "statement_timeout") != "1234ms"
        assert shown(another, "search_path") != LIMITS["search_path"]
    assert locks(database) == 0


def test_a_pooler_that_keeps_sessions_apart_is_as_good_as_none(tmp_path, database):
    with PgBouncer(tmp_path, database.url, "session") as pooler:
        url = pooler.url(database.url)
        with opened(url, session=LIMITS) as session, opened(url) as other:
            assert shown(session, "statement_timeout") == "1234ms"
            assert shown(session, "search_path") == LIMITS["search_path"]
            assert shown(other, "statement_timeout") == "0"
            session.execute("SELECT pg_advisory_lock(1)")
            assert other.execute("SELECT pg_try_advisory_lock(1)").fetchone() == (False,)
        assert locks(database) == 0
        assert pooler.clients == 0


def test_a_pooler_without_a_session_to_spare_says_so(tmp_path, database, monkeypatch):
    monkeypatch.setattr(postgresql, "OPENS_WITHIN_S", 0.3)
    with PgBouncer(tmp_path, database.url, "session", size=1) as pooler:
        url = pooler.url(database.url)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT 1")
            with pytest.raises(Unfit, match=r"had no session free within 0\.3 s"):
                open_session({"conninfo": url})
