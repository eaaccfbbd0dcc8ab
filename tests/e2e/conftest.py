"""Real servers for the tests of this folder, each started once and on a database of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from config.env import DEV_SECRET_KEY, DEV_SERVICE_KEY
from tests.support import servers
from tests.support import site as sites
from tests.support.canary import Canary, contents
from tests.support.databases import Scratch
from tests.support.proxied import Proxied
from tests.support.servers import free_port, server
from tests.support.services import need_nginx, need_node
from tests.support.site import Site

LOG_SHOWN = 3000  # characters of each log, when a test fails
# Only complaints of a service that does not answer are made in the course of duty. A warning is
# trouble too, be it of the interpreter or of a library.
TROUBLE = re.compile(
    r"^\s*Traceback |^\S+ (ERROR|CRITICAL) (?!contracts\.complaints)|^\S+:\d+: \w*Warning: ",
    re.MULTILINE,
)
SECRET = re.compile(rf"pt_[\w-]{{16,}}|canary_\w+|{DEV_SERVICE_KEY}|{DEV_SECRET_KEY}")


@pytest.fixture(scope="session")
def canary():
    """Of the whole run."""
    return Canary()


@pytest.fixture(scope="session")
def any_migrated(sqlite_tables):
    """A database with its tables, where its kind makes no difference; servers get copies of it."""
    return sqlite_tables


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_kind(request):
    """Of database. What is made for one kind lasts until the run ends, whatever comes between."""
    return request.param


@pytest.fixture(scope="session")
def migrated(request, database_kind):
    """A database of each kind with its tables; servers get copies of it."""
    return request.getfixturevalue(f"{database_kind}_tables")


@pytest.fixture(scope="session")
def site(request, database_kind):
    """Both tiers. A test that kills one starts it again."""
    return request.getfixturevalue(f"{database_kind}_site")


@pytest.fixture(scope="session")
def sqlite_site(sqlite_tables, canary, tmp_path_factory):
    with watched_site(sqlite_tables, canary, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def postgresql_site(postgresql_tables, canary, tmp_path_factory):
    with watched_site(postgresql_tables, canary, tmp_path_factory.mktemp("site")) as site:
        yield site


@contextmanager
def watched_site(tables, canary, folder):
    """Both tiers on a database that keeps no token."""
    with tables.copy(folder) as database:
        with both_tiers(database, folder) as site:
            yield canary.hears(site)
        assert not canary.seen_in(*contents(database)), "a token is kept"


@pytest.fixture(scope="session")
def half_site(request, database_kind):
    """A lobby, and the place of a realtime service, which each test fills as it likes."""
    return request.getfixturevalue(f"half_{database_kind}_site")


@pytest.fixture(scope="session")
def half_sqlite_site(sqlite_tables, canary, tmp_path_factory):
    with a_lobby(sqlite_tables, canary, tmp_path_factory.mktemp("half-site")) as site:
        yield site


@pytest.fixture(scope="session")
def half_postgresql_site(postgresql_tables, canary, tmp_path_factory):
    with a_lobby(postgresql_tables, canary, tmp_path_factory.mktemp("half-site")) as site:
        yield site


@contextmanager
def a_lobby(tables, canary, folder):
    """A lobby alone, on a database that keeps no token."""
    with tables.copy(folder) as database:
        environ = {**database.environ, **places(), "RATE_LIMITS": "off"}
        with server("lobby", environ, folder) as lobby:
            realtime = server("realtime", environ, folder)
            yield canary.hears(Site(realtime, database, lobby))
        assert not canary.seen_in(*contents(database)), "a token is kept"


@pytest.fixture(scope="module")
def proxied(any_migrated, canary, tmp_path_factory):
    """Two processes with a database each: a call that goes astray finds no room."""
    need_nginx()
    folder = tmp_path_factory.mktemp("nginx")
    with ExitStack() as stack:
        copies = [folder / "one", folder / "two"]
        databases = [stack.enter_context(any_migrated.copy(copy)) for copy in copies]
        proxied = Proxied(stack, databases, folder)
        canary.hears(proxied.site)
        yield proxied
        said = proxied.nginx.said
    assert not canary.seen_in(said), "nginx has logged a token"


@pytest.fixture(scope="session")
def node():
    """Pages in Node can be opened."""
    need_node()


@contextmanager
def both_tiers(
    database: Scratch,
    folder: Path,
    *,
    program: Callable[[str], Sequence[str]] | None = None,
    **environ: str,
) -> Iterator[Site]:
    """The lobby and the realtime service, started at the same moment; `program` says what runs the
    tier of a name, if not what `scripts/serve` runs."""
    environ = {**database.environ, **places(), "RATE_LIMITS": "off", **environ}
    tiers = [server(name, environ, folder) for name in ("realtime", "lobby")]
    if program:
        tiers = [tier.that_runs(*program(tier.name)) for tier in tiers]
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        realtime, lobby = pool.map(stack.enter_context, tiers)
        yield Site(realtime, database, lobby)


def places() -> dict[str, str]:
    return {"LOBBY_PORT": str(free_port()), "REALTIME_PORT": str(free_port())}


@pytest.fixture(autouse=True)
def _quiet_and_discreet(canary):
    """After every test: no server is in trouble, and nobody was shown a secret."""
    yield
    logs = {server.name: server.news() for server in servers.running}
    frames, sites.heard[:] = "\n".join(sites.heard), []
    for name, log in logs.items():
        assert not TROUBLE.search(log), f"{name} is in trouble:\n{log}"
    answers, canary.answers[:] = "\n".join(canary.answers), []
    shown = (frames, answers, *logs.values())
    for text in shown:
        assert not SECRET.search(text), "a secret was shown"
    assert not canary.seen_in(*shown), "a token was shown"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the servers said."""
    report = yield
    if report.failed:
        for server in servers.running:
            report.sections.append((f"{server.name} on {server.port}", server.said[-LOG_SHOWN:]))
    return report
