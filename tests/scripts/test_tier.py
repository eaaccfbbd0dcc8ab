"""A tier: a process group that ends with whoever started it."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from scripts.lib.bootstrap import ROOT
from scripts.lib.tier import PortTaken, Tier
from tests.support.servers import pipe

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


def tier_that_runs(program: str) -> Tier:
    tier = Tier("lobby", "127.0.0.1", 1, ["-c", program])
    tier.start(sys.executable, os.environ)
    return tier


def test_closing_its_pipe_stops_it():
    tier = tier_that_runs("import time; time.sleep(600)")
    tier.ask_to_stop()
    tier.wait()
    assert tier.leader.poll() is not None
    tier.kill()


def test_its_own_end_and_status_are_seen():
    tier = tier_that_runs("raise SystemExit(3)")
    tier.wait()
    assert tier.leader.poll() == 3


def test_a_death_by_signal_reads_as_in_a_shell():
    tier = tier_that_runs("import os; os.kill(os.getpid(), 9)")
    tier.wait()
    assert tier.leader.poll() == 128 + signal.SIGKILL


def test_it_knows_which_tier_it_is():
    tier = tier_that_runs("import os; raise SystemExit(os.environ['GREENROOM_TIER'] != 'lobby')")
    tier.wait()
    assert tier.leader.poll() == 0


def test_it_does_not_outlive_a_starter_that_is_killed():
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys; from scripts.lib.tier import Tier;"
            f"tier = Tier('lobby', '127.0.0.1', 1, ['-c', {SLEEPER!r}]);"
            "tier.start(sys.executable, os.environ); tier.leader.wait()",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert pipe(starter.stdout).readline() == b"up\n"
    starter.kill()
    assert pipe(starter.stdout).read() == b""  # the end of the pipe: nobody holds it any more
    starter.wait()


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is taken .* REALTIME_PORT"):
            Tier("realtime", "127.0.0.1", port, []).require_free_port()
    Tier("realtime", "127.0.0.1", port, []).require_free_port()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("0:0:0:0:0:0:0:0", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("127.0.0.2", "http://127.0.0.2:80"),
        ("play.local", "http://play.local:80"),
    ],
)
def test_where_it_is_reached(host, url):
    assert Tier("lobby", host, 80, []).url == url


def test_nobody_listening_is_not_ready():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    assert not Tier("lobby", "127.0.0.1", port, []).ready()
