"""A PostgreSQL that can no more be used says why: by kind at /readyz, in full at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import kinds
from config.settings import postgresql
from realtime.engine import orm_store as orm_stores
from realtime.engine.store import StorageUnavailable
from tests.faultlab.postgres import Postgres, programs
from tests.support.databases import PostgresDatabase, manage
from tests.support.servers import until
from tests.support.services import leave_out
from tests.support.stores import orm_store, told

LOST = {"database": "does not answer"}  # as long as the old connection's end is what is seen
PASSWORD, WRONG = "sesame-4711", "wrong-0815"
ACCESS = """
host all greenroom 127.0.0.1/32 trust
host greenroom bob 127.0.0.1/32 scram-sha-256
"""


@pytest.fixture(scope="module")
def server():
    """A server where bob needs a password, and owns the tables."""
    if not programs():
        leave_out("PostgreSQL's own programs (initdb)")
    with Postgres() as running:
        with running.connect() as admin:
            admin.execute(f"CREATE ROLE bob LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        let_in(running, ACCESS)
        manage(PostgresDatabase(running.url), "migrate", "--noinput", "--verbosity=0")
        yield running


def let_in(running: Postgres, access: str) -> None:
    with running.connect() as admin:
        ((file,),) = admin.execute("SHOW hba_file").fetchall()
        Path(file).write_text(access)
        admin.execute("SELECT pg_reload_conf()")
    wanted = len(access.strip().splitlines())
    until(lambda: rules(running) == wanted)


def rules(running: Postgres) -> int:
    with running.connect() as admin:
        ((count,),) = admin.execute("SELECT count(*) FROM pg_hba_file_rules").fetchall()
    return count


def store(running: Postgres, password: str = PASSWORD, **changed):
    url = f"postgresql://bob:{password}@127.0.0.1:{running.port}/greenroom"
    return orm_store({**postgresql(kinds.DATABASE.parse(url)), **changed})


@pytest.mark.parametrize(
    ("change", "back", "reason"),
    [
        (
            f"ALTER ROLE bob PASSWORD '{WRONG}'",
            f"ALTER ROLE bob PASSWORD '{PASSWORD}'",
            "refuses the user or the password",
        ),
        ("ALTER ROLE bob NOLOGIN", "ALTER ROLE bob LOGIN", "refuses the user or the password"),
        (
            "ALTER ROLE bob NOSUPERUSER CONNECTION LIMIT 0",
            "ALTER ROLE bob SUPERUSER CONNECTION LIMIT -1",
            "has no connection left",
        ),
    ],
)
def test_readiness_names_the_kind_and_nothing_else(server, monkeypatch, change, back, reason):
    monkeypatch.setattr(orm_stores, "CHECK_KEPT_S", 0)

    async def story():
        running = store(server)
        await running.start()
        try:
            assert (await running.check())["database"] == "ok"
            admit(server, change)
            while (found := await running.check()) == LOST:
                pass
            return found
        finally:
            await running.close()

    try:
        assert told(story()) == {"database": reason}
    finally:
        admit(server, back)


def admit(server: Postgres, change: str) -> None:
    """Change who may come in, and end the connections of those who are in."""
    with server.connect() as admin:
        admin.execute(change)
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename='bob'")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"PASSWORD": WRONG}, "password authentication failed"),
        ({"NAME": "nothing"}, "no pg_hba.conf entry"),
        ({"USER": "greenroom", "NAME": "nothing"}, 'database "nothing" does not exist'),
        ({"HOST": "no-such-host.invalid"}, "failed to resolve host"),
        ({"PORT": 1}, "Connection refused"),
    ],
)
def test_a_start_says_why_in_full_without_the_password(server, changed, words):
    with pytest.raises(StorageUnavailable, match=words) as problem:
        told(store(server, **changed).start())
    assert PASSWORD not in str(problem.value)
    assert WRONG not in str(problem.value)
