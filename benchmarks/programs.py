"""The three programs: what they measure, and how they are told to."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import commits, crowds, frames, lobby, machine, processes
from benchmarks.cores import CLIENTS, pinned
from benchmarks.load import NoFigures
from scripts.lib.bootstrap import ROOT, say

PROGRAMS = {
    "lobby": (lobby.measure, 5.0, "requests per second: create a room, join it three times"),
    "compare": (lobby.compare, 5.0, "the same, side by side with Colyseus (BENCH_NODE)"),
    "processes": (processes.measure, 5.0, "one realtime process, and two that share the rooms"),
    "frames": (frames.measure, 0.5, "microseconds for each WebSocket frame that is read"),
    "crowds": (crowds.measure, 45.0, "10,000 idle sockets, and a room half of which never reads"),
    "commits": (commits.measure, 2.0, "commits per second of each store"),
}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run")
    programs = parser.add_subparsers(dest="program", required=True)
    for name, (_, seconds, text) in PROGRAMS.items():
        program = programs.add_parser(name, help=text, description=text)
        program.add_argument("--rounds", type=int, default=3, help="medians of so many (3)")
        program.add_argument(
            "--seconds", type=float, default=seconds, help=f"how long one measures ({seconds:g})"
        )
    return parser.parse_args(arguments)


def main() -> int:
    wish = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end what was started
    program, *_ = PROGRAMS[wish.program]
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=var) as folder, pinned(CLIENTS):
            machine.describe(Path(folder))
            program(Path(folder), wish.rounds, wish.seconds)
    except NoFigures as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("interrupted; there are no figures.")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
