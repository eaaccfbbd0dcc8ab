"""`scripts/serve` from outside: what it prints, how it ends, and with which status."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.lib.bootstrap import ROOT, Venv


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    assert Venv().ready, "scripts/serve would make .venv anew: run the tests by scripts/test"
    lobby, realtime = free_ports(2)
    return {
        "PATH": os.environ["PATH"],
        "GREENROOM_DATA": str(tmp_path),
        "LOBBY_PORT": str(lobby),
        "REALTIME_PORT": str(realtime),
    }


def serve(environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [ROOT / "scripts" / "serve"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def served(environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Both services, up and announced."""
    process = serve(environ)
    for line in process.stdout:
        if "Ctrl-C stops both" in line:
            break
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stops_when_asked(served, number):
    served.send_signal(number)
    assert served.stdout.read().splitlines()[-1] == "greenroom: stopped."
    assert served.wait() == 0


def test_when_one_tier_dies_the_other_is_stopped(served, environ):
    os.kill(process_on(served.pid, "realtime"), signal.SIGKILL)
    last = served.stdout.read().splitlines()[-1]
    assert last == "greenroom: realtime died with status 137; lobby is stopped too."
    assert served.wait() == 1
    with socket.create_server(("127.0.0.1", int(environ["LOBBY_PORT"]))):
        pass  # the lobby's port is free again


def process_on(starter: int, module: str) -> int:
    """The process below `starter` that runs `python -m module`."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    leaders = {pid for pid, parent, _ in rows if parent == str(starter)}
    (pid,) = (
        pid for pid, parent, args in rows if parent in leaders and args.endswith(f"-m {module}")
    )
    return int(pid)


def test_a_taken_port_is_one_sentence(environ):
    with socket.create_server(("127.0.0.1", int(environ["LOBBY_PORT"]))):
        refused = serve(environ)
        (sentence,) = refused.stdout.read().splitlines()
    assert "is taken by another program" in sentence
    assert refused.wait() == 1


def test_a_bad_value_is_one_sentence_and_status_2(environ):
    refused = serve({**environ, "LOBBY_PORT": "eight"})
    (sentence,) = refused.stdout.read().splitlines()
    assert sentence.startswith("greenroom: LOBBY_PORT is 'eight'; it must be ")
    assert refused.wait() == 2


def test_a_database_that_does_not_answer_is_one_sentence(environ):
    (port,) = free_ports(1)
    refused = serve({**environ, "DATABASE_URL": f"postgresql://127.0.0.1:{port}/rooms"})
    (sentence,) = refused.stdout.read().splitlines()
    assert sentence.startswith("greenroom: the database can't be migrated. ")
    assert "Connection refused" in sentence
    assert refused.wait() == 1
