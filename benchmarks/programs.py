"""The programs: what they measure, and how they are told to."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import commits, compare, crowds, frames, lobby, machine, memory, processes
from benchmarks.cores import CLIENTS, pinned
from benchmarks.load import NoFigures
from scripts.lib.bootstrap import ROOT, say


class Program(NamedTuple):
    """What a name stands for; `seconds` is how long one measures when nobody says."""

    measure: Callable[..., None]
    seconds: float
    text: str


PROGRAMS = {
    "lobby": Program(lobby.measure, 5, "requests per second: create a room, join it three times"),
    "compare": Program(compare.compare, 3, "side by side with other room services (BENCH_NODE)"),
    "processes": Program(processes.measure, 5, "one realtime process, and two that share rooms"),
    "frames": Program(frames.measure, 0.5, "microseconds for each WebSocket frame that is read"),
    "crowds": Program(crowds.measure, 45, "10,000 idle sockets, and members that never read"),
    "memory": Program(memory.measure, 3, "memory after 30,000 rooms were made and are gone"),
    "commits": Program(commits.measure, 2, "commits per second of each store"),
}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run")
    programs = parser.add_subparsers(dest="program", required=True)
    options = {}
    for name, (_, seconds, text) in PROGRAMS.items():
        options[name] = program = programs.add_parser(name, help=text, description=text)
        program.add_argument("--rounds", type=int, default=3, help="medians of so many (3)")
        program.add_argument(
            "--seconds", type=float, default=seconds, help=f"how long one measures ({seconds:g})"
        )
    choose(options["compare"])
    return parser.parse_args(arguments)


def choose(program: argparse.ArgumentParser) -> None:
    """What `compare` compares, and with whom."""
    for option, names in (("--only", tuple(compare.FIELD)), ("--peers", compare.PEERS)):
        told = f"some of {','.join(names)}"
        program.add_argument(option, type=some_of(names), default=names, help=told)
    program.add_argument(
        "--idle", type=int, default=compare.IDLE, help=f"sockets in `idle` ({compare.IDLE})"
    )


def some_of(names: Sequence[str]) -> Callable[[str], list[str]]:
    """How a list with commas is read."""

    def read(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [one for one in chosen if one not in names]:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(names)}")
        return chosen

    return read


def main() -> int:
    wish = vars(parse(sys.argv[1:]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end what was started
    program = PROGRAMS[wish.pop("program")]
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=var) as folder, pinned(CLIENTS):
            machine.describe(Path(folder))
            program.measure(Path(folder), **wish)
    except NoFigures as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("interrupted; there are no figures.")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
