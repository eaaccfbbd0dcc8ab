"""One round of load: the client in C, and what its requests cost the servers."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

from benchmarks.figures import Round
from benchmarks.services import Running, Workload
from scripts.lib.bootstrap import ROOT

SOURCE = ROOT / "benchmarks" / "client" / "httpload.c"
PROGRAM = ROOT / "var" / "httpload"
WARM_S = 2.0


class NoFigures(Exception):
    """Nothing was measured; the message is a sentence."""


def load(running: Running, workload: Workload, measure_s: float) -> Round:
    """Warm the service up, then measure. Raises NoFigures when an answer was not a good one."""
    ports = ",".join(map(str, running.ports))
    options = [ports, workload.routes, workload.clients, workload.joins, WARM_S, measure_s]
    words = [workload.header, workload.create, workload.key, workload.join]
    command = [str(client()), *map(str, options), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loading:
        assert loading.stdout
        loading.stdout.readline()  # it is warm
        before = running.cpu_s()
        said = loading.stdout.readline()
        after = running.cpu_s()
    if loading.returncode:
        raise NoFigures("a request failed; the line above says how. There are no figures.")
    return Round.read(json.loads(said), {name: after[name] - before[name] for name in before})


@cache
def client() -> Path:
    """The client, compiled."""
    compiler = shutil.which("cc")
    if not compiler:
        raise NoFigures("the client is written in C, and there is no cc to compile it.")
    subprocess.run([compiler, "-O2", "-o", str(PROGRAM), str(SOURCE)], check=True)
    return PROGRAM
