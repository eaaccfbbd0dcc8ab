"""Real servers for the tests of this folder, each started once and on a database of its own."""

from __future__ import annotations

import re

import pytest

from config.env import DEV_SECRET_KEY, DEV_SERVICE_KEY
from tests.support import servers
from tests.support import site as sites
from tests.support.databases import PostgresDatabase, SqliteFile, manage
from tests.support.servers import free_port, server
from tests.support.services import need_postgresql
from tests.support.site import Site

LOG_SHOWN = 3000  # characters of each log, when a test fails
# Only complaints of a service that does not answer are made in the course of duty.
TROUBLE = re.compile(
    r"^\s*Traceback |^\S+ (ERROR|CRITICAL) (?!contracts\.complaints)", re.MULTILINE
)
SECRET = re.compile(rf"pt_[\w-]{{16,}}|canary_\w+|{DEV_SERVICE_KEY}|{DEV_SECRET_KEY}")


@pytest.fixture(scope="session")
def any_migrated(tmp_path_factory):
    """A database with its tables, where its kind makes no difference; servers get copies of it."""
    database = SqliteFile(tmp_path_factory.mktemp("migrated"))
    manage(database, "migrate", "--noinput", "--verbosity=0")
    return database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def migrated(request):
    """A database of each kind with its tables; servers get copies of it."""
    if request.param == "sqlite":
        yield request.getfixturevalue("any_migrated")
        return
    with PostgresDatabase.scratch(need_postgresql()) as database:
        manage(database, "migrate", "--noinput", "--verbosity=0")
        yield database


@pytest.fixture(scope="session")
def site(migrated, tmp_path_factory):
    """Both tiers. A test that kills one starts it again."""
    folder = tmp_path_factory.mktemp("site")
    with migrated.copy(folder) as database:
        environ = {**database.environ, **places(), "RATE_LIMITS": "off"}
        realtime = server("realtime", environ, folder)
        with realtime, server("lobby", environ, folder) as lobby:
            yield Site(realtime, database, lobby)


@pytest.fixture(scope="session")
def half_site(migrated, tmp_path_factory):
    """A lobby, and the place of a realtime service, which each test fills as it likes."""
    folder = tmp_path_factory.mktemp("half-site")
    with migrated.copy(folder) as database:
        environ = {**database.environ, **places(), "RATE_LIMITS": "off"}
        with server("lobby", environ, folder) as lobby:
            yield Site(server("realtime", environ, folder), database, lobby)


def places() -> dict[str, str]:
    return {"LOBBY_PORT": str(free_port()), "REALTIME_PORT": str(free_port())}


@pytest.fixture(autouse=True)
def _quiet_and_discreet():
    """After every test: no server is in trouble, and nobody was shown a secret."""
    yield
    logs = {server.name: server.news() for server in servers.running}
    frames, sites.heard[:] = "\n".join(sites.heard), []
    for name, log in logs.items():
        assert not TROUBLE.search(log), f"{name} is in trouble:\n{log}"
    for text in (frames, *logs.values()):
        assert not SECRET.search(text), "a secret was shown"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the servers said."""
    report = yield
    if report.failed:
        for server in servers.running:
            report.sections.append((f"{server.name} on {server.port}", server.said[-LOG_SHOWN:]))
    return report
