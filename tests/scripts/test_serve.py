"""`scripts/serve` from outside: what it prints, how it ends, and with which status."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.lib.bootstrap import ROOT, Venv
from tests.support.databases import PostgresDatabase
from tests.support.servers import free_port, pipe
from tests.support.services import need_postgresql, need_redis


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    assert Venv().ready, "scripts/serve would make .venv anew: run the tests by scripts/test"
    return {
        "PATH": os.environ["PATH"],
        "GREENROOM_DATA": str(tmp_path),
        "LOBBY_PORT": str(free_port()),
        "REALTIME_PORT": str(free_port()),
    }


def serve(environ: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [ROOT / "scripts" / "serve", *arguments],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def served(environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Both services, up and announced."""
    process = serve(environ)
    welcome(process)
    yield process
    process.kill()
    process.wait()


def welcome(process: subprocess.Popen[str]) -> str:
    """What is said until all is up; without that, all that is said."""
    lines = []
    while (line := pipe(process.stdout).readline()) and "Ctrl-C stops all" not in line:
        lines.append(line)
    return "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_when_asked(served, number):
    served.send_signal(number)
    assert pipe(served.stdout).read().splitlines()[-1] == "greenroom: stopped."
    assert served.wait() == 0


def test_when_one_tier_dies_the_other_is_stopped(served, environ):
    (realtime,) = processes_of(served.pid, "realtime")
    os.kill(realtime, signal.SIGKILL)
    last = pipe(served.stdout).read().splitlines()[-1]
    assert last == "greenroom: realtime died with status 137; lobby is stopped too."
    assert served.wait() == 1
    with socket.create_server(("127.0.0.1", int(environ["LOBBY_PORT"]))):
        pass  # the lobby's port is free again


def need_address(host: str) -> None:
    """Skip on a system that has no such address: macOS has 127.0.0.1 alone."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no address {host}")


@pytest.mark.parametrize(
    ("lobby", "realtime", "printed", "ws"),
    [
        ("127.0.0.1", "127.0.0.2", "http://127.0.0.1", "ws://127.0.0.2"),
        ("127.0.0.3", "0.0.0.0", "http://127.0.0.3", "ws://127.0.0.1"),
        ("::", "::1", "http://[::1]", "ws://[::1]"),
    ],
)
def test_at_other_addresses_what_is_printed_works(environ, lobby, realtime, printed, ws):
    for host in (lobby, realtime):
        need_address(host)
    process = serve({**environ, "LOBBY_HOST": lobby, "REALTIME_HOST": realtime})
    try:
        said = welcome(process)
        url = f"{printed}:{environ['LOBBY_PORT']}"
        assert f"  API            {url}/api/rooms " in said
        created = httpx.post(f"{url}/api/rooms", json={"username": "alice"})
        assert created.status_code == 201
        assert created.json()["wsUrl"].startswith(f"{ws}:{environ['REALTIME_PORT']}/parties/")
        assert httpx.get(f"{url}/admin/login/").status_code == 200
    finally:
        process.kill()
        process.wait()


def test_ready_is_said_only_when_the_lobby_reaches_the_realtime_service(environ):
    port = free_port()
    refused = serve({**environ, "REALTIME_URL": f"http://127.0.0.1:{port}"})
    assert refused.stdout
    said = refused.stdout.read()
    assert "Greenroom is ready" not in said
    assert said.splitlines()[-1] == (
        "greenroom: the lobby does not reach the realtime service (unreachable) "
        f"at http://127.0.0.1:{port}; REALTIME_URL says where it is."
    )
    assert refused.wait() == 1


def processes_of(starter: int, module: str) -> list[int]:
    """The processes below `starter` that run `python -m module`."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    leaders = {pid for pid, parent, _ in rows if parent == str(starter)}
    return [
        int(pid)
        for pid, parent, args in rows
        if parent in leaders and args.endswith(f"-m {module}")
    ]


# -- several realtime processes ------------------------------------------------------------------


@pytest.fixture
def shared(environ: dict[str, str]) -> Iterator[dict[str, str]]:
    """What several realtime processes need; two ports follow each other."""
    with PostgresDatabase.scratch(need_postgresql()) as database:
        ports = {"REALTIME_PORT": str(free_port(count=2))}
        yield {**environ, **database.environ, **ports, "REDIS_URL": need_redis()}


def test_two_realtime_processes_serve_and_end_together(shared):
    process = serve(shared, "--realtime", "2")
    try:
        first = int(shared["REALTIME_PORT"])
        places = f"http://127.0.0.1:{first}  http://127.0.0.1:{first + 1}\n"
        assert places in welcome(process)
        created = httpx.post(
            f"http://127.0.0.1:{shared['LOBBY_PORT']}/api/rooms", json={"username": "alice"}
        )
        assert created.status_code == 201
        os.kill(processes_of(process.pid, "realtime")[0], signal.SIGKILL)
        last = pipe(process.stdout).read().splitlines()[-1]
        assert re.fullmatch(
            "greenroom: realtime-([12]) died with status 137; "
            "lobby and realtime-(?!\\1)[12] are stopped too.",
            last,
        )
        assert process.wait() == 1
    finally:
        process.kill()
        process.wait()


def test_several_without_a_database_to_share_is_one_sentence_and_status_2(environ):
    refused = serve(environ, "--realtime", "2")
    (sentence,) = pipe(refused.stdout).read().splitlines()
    assert sentence == (
        "greenroom: several realtime processes share their rooms through PostgreSQL and Redis; "
        "set DATABASE_URL and REDIS_URL, or leave --realtime out."
    )
    assert refused.wait() == 2


@pytest.mark.parametrize("count", ["0", "-1", "two", "65", "1.5", ""])
def test_a_count_that_is_none_is_a_usage_error(environ, count):
    refused = serve(environ, f"--realtime={count}")
    usage, sentence = pipe(refused.stdout).read().splitlines()
    assert usage == "usage: scripts/serve [-h] [--realtime N]"
    assert sentence.endswith(f"--realtime: {count!r} is not a whole number from 1 to 64")
    assert refused.wait() == 2


def test_help_says_what_there_is(environ):
    asked = serve(environ, "--help")
    assert "--realtime N" in pipe(asked.stdout).read()
    assert asked.wait() == 0


def test_a_taken_port_is_one_sentence(environ):
    with socket.create_server(("127.0.0.1", int(environ["LOBBY_PORT"]))):
        refused = serve(environ)
        (sentence,) = pipe(refused.stdout).read().splitlines()
    assert "is taken by another program; lobby needs it. LOBBY_PORT and " in sentence
    assert refused.wait() == 1


def test_a_bad_value_is_one_sentence_and_status_2(environ):
    refused = serve({**environ, "LOBBY_PORT": "eight"})
    (sentence,) = pipe(refused.stdout).read().splitlines()
    assert sentence.startswith("greenroom: LOBBY_PORT is 'eight'; it must be ")
    assert refused.wait() == 2


def test_a_database_that_does_not_answer_is_one_sentence(environ):
    refused = serve({**environ, "DATABASE_URL": f"postgresql://127.0.0.1:{free_port()}/rooms"})
    (sentence,) = pipe(refused.stdout).read().splitlines()
    assert sentence.startswith("greenroom: the database can't be migrated. ")
    assert "Connection refused" in sentence
    assert refused.wait() == 1
