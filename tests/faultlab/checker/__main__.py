"""`python -m tests.faultlab.checker HISTORY.jsonl [--secret REGEX]...`: judge one run.

Exit 0: every invariant holds; 1: some are broken; 2: it is no whole history.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.faultlab.checker.history import History, NotAHistory, Violation
from tests.faultlab.checker.verdict import violations

SHOWN = 20  # of one invariant


def main(arguments: list[str] | None = None) -> int:
    """Check one history and print what was broken."""
    parser = argparse.ArgumentParser(prog="checker", description="Judge a recorded history.")
    parser.add_argument("history", type=Path)
    parser.add_argument("--secret", action="append", default=[], metavar="REGEX")
    options = parser.parse_args(arguments)
    try:
        history = History.read(options.history.read_text(encoding="utf-8"))
    except (NotAHistory, OSError) as problem:
        sys.stderr.write(f"This is no whole history: {problem}\n")
        return 2
    found = violations(history, options.secret)
    sys.stdout.write("\n".join([*_listed(found), *_summary(history, found)]) + "\n")
    return 1 if found else 0


def _listed(found: list[Violation]) -> list[str]:
    lines: list[str] = []
    count: Counter[str] = Counter()
    for one in found:
        count[one.invariant] += 1
        if count[one.invariant] <= SHOWN:
            lines.append(f"{one.invariant} {one.what}")
    for invariant, number in count.items():
        if number > SHOWN:
            lines.append(f"{invariant} … and {number - SHOWN} more")
    return lines


def _summary(history: History, found: list[Violation]) -> list[str]:
    outcomes = Counter(op.outcome for op in history.ops)
    asked = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    entries = sum(len(room.journal) for room in history.rooms.values())
    rows = sum(len(room.rows) for room in history.rooms.values())
    seen = sum(len(socket.frames) for socket in history.sockets.values())
    return [
        f"{len(history.ops)} operations ({asked}), {len(history.rooms)} rooms, "
        f"{entries} journal entries, {rows} rows, {len(history.sockets)} sockets, {seen} frames",
        f"{len(found)} violations" if found else "every invariant holds",
    ]


if __name__ == "__main__":
    sys.exit(main())
