"""The long run: `python -m tests.faultlab --rounds kill=200,postgres=20,redis=20,stop=20`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.faultlab.campaign import MIXED, NONE, Plan, campaign, table
from tests.faultlab.cluster import missing
from tests.faultlab.faults import FAULTS
from tests.faultlab.part import Part

ROUNDS = (
    "none=1,kill=200,postgres=20,redis=20,stop=20,"
    "term=10,network=25,readonly=5,hang=5,foreign=5,flush=5,redishang=5,skew=8,history=20,"
    "mixed=30"
)
SHOWN = 15  # violations of one part


def rounds(text: str) -> dict[str, int]:
    """`kill=200,redis=20` as numbers by kind. Raises ArgumentTypeError."""
    wanted = dict(one.split("=") for one in text.split(",") if one.count("=") == 1)
    if not wanted or wanted.keys() - FAULTS.keys() - {MIXED, NONE}:
        kinds = ", ".join([*FAULTS, MIXED, NONE])
        raise argparse.ArgumentTypeError(f"KIND=TIMES,… where KIND is one of {kinds}")
    return {kind: int(times) for kind, times in wanted.items()}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faultlab", description=__doc__)
    parser.add_argument("--rounds", type=rounds, default=ROUNDS, metavar="KIND=TIMES,…")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-s", type=float, default=30.0, help="how long a SIGSTOP lasts")
    parser.add_argument("--keep", type=Path, help="a folder for histories, logs and verdicts")
    return parser.parse_args()


def tell(part: Part, began: float) -> None:
    state = f"BROKEN {dict(part.broken)}" if part.broken else "ok"
    say(
        f"{time.monotonic() - began:6.0f} s  {part.kind} x {len(part.struck)}: {state}, "
        f"{part.outcomes.total()} operations, worst recovery {part.worst_recovery_s:.1f} s, "
        f"the same everywhere after {part.converged_s:.1f} s"
    )
    if part.broken:
        say("\n".join(part.verdict.splitlines()[-SHOWN:]))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """0: no rule was broken. 1: one was. 2: the lab can't be set up."""
    asked = arguments()
    if absent := missing():
        sys.stderr.write(f"the fault lab needs {absent}\n")
        return 2
    plan = Plan(asked.rounds, asked.processes, asked.seed, asked.stop_s)
    parts, began = [], time.monotonic()
    with ExitStack() as stack:
        folder = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        for part in campaign(plan, folder):
            parts.append(part)
            tell(part, began)
    say(f"\n{table(parts)}\n")
    return 1 if any(part.broken for part in parts) else 0


if __name__ == "__main__":
    raise SystemExit(main())
