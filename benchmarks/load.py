"""One round of load: the client in C, and what its requests cost the servers."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache

from benchmarks.figures import Round
from benchmarks.services import Running, Workload
from scripts.lib.bootstrap import ROOT

WARM_S = 2.0


class NoFigures(Exception):
    """Nothing was measured; the message is a sentence."""


def load(running: Running, workload: Workload, measure_s: float) -> Round:
    """Warm the service up, then measure. Raises NoFigures when an answer was not a good one."""
    ports = ",".join(map(str, running.ports))
    options = [ports, workload.routes, workload.clients, workload.joins, WARM_S, measure_s]
    words = [workload.header, workload.create, workload.key, workload.join]
    command = [compiled("httpload"), *map(str, options), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loading:
        assert loading.stdout
        loading.stdout.readline()  # it is warm
        running.confine()
        before = running.cpu_s()
        said = loading.stdout.readline()
        after = running.cpu_s()
    if loading.returncode:
        raise NoFigures("a request failed; the line above says how. There are no figures.")
    return Round.read(json.loads(said), {name: after[name] - before[name] for name in before})


@cache
def compiled(client: str) -> str:
    """The program of one of the clients in C."""
    compiler = shutil.which("cc")
    if not compiler:
        raise NoFigures("the clients are written in C, and there is no cc to compile them.")
    source, program = ROOT / "benchmarks" / "client" / f"{client}.c", ROOT / "var" / client
    program.parent.mkdir(exist_ok=True)
    subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return str(program)
