"""What tests of several workers, or of several runs on one machine, do not take from each other."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.lib.bootstrap import ROOT
from tests.support import servers, templates
from tests.support.servers import bare_environ, free_port
from tests.support.services import REDIS

LITTLE_SUITE = """
import pytest

from tests.support.services import REDIS, leave_out

@pytest.mark.parametrize("number", range(4))
def test_left_out(number, tell):
    if number % 2:
        leave_out(REDIS)
    tell(f"figure {number}")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=bare_environ(), capture_output=True, text=True)


def test_a_port_is_given_once_though_nobody_listens_on_it_yet(monkeypatch):
    port = free_port()
    monkeypatch.setattr(servers, "PORTS", range(port, port + 1))
    with pytest.raises(AssertionError, match="every port is taken"):
        free_port()


def test_nor_is_it_given_to_another_run():
    port = free_port(count=2)
    for one in (port, port + 1):
        asked = f"servers.PORTS = range({one}, {one + 1}); servers.free_port()"
        refused = run("-c", f"from tests.support import servers; {asked}")
        assert "every port is taken" in refused.stderr


def test_what_a_run_needs_once_is_made_once(monkeypatch, tmp_path):
    monkeypatch.setattr(templates, "run_folder", tmp_path)
    made: list[str] = []

    def make() -> str:
        made.append("this")
        return f"number {len(made)}"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: templates.made_once("thing", make), range(8)))
    assert found == ["number 1"] * 8


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_last_lines_tell_of_all_workers(tmp_path, monkeypatch, workers):
    monkeypatch.delenv("GREENROOM_TEST_COMPLETE", raising=False)
    (tmp_path / "test_little.py").write_text(LITTLE_SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-p", "no:django"]
    ended = run("-m", "pytest", "-n", workers, *plugins, "--rootdir", str(tmp_path), str(tmp_path))
    lines = ended.stdout.splitlines()
    assert f"TESTS LEFT OUT without {REDIS}: 2" in lines
    told = [line.rpartition(": ")[2] for line in lines if "figure" in line]
    assert sorted(told) == ["figure 0", "figure 2"]
    assert "2 passed, 2 skipped" in lines[-1]
