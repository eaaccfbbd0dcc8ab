"""The long run: `python -m tests.framelab 1000000 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.framelab.fuzz import Tally, fuzz


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.framelab", description=__doc__)
    parser.add_argument("inputs", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def report(tally: Tally, took_s: float) -> str:
    ends = ", ".join(f"{end} {count:,}" for end, count in tally.ends.most_common())
    lines = [
        f"{tally.inputs:,} inputs in {took_s:.0f} s; ours ended {ends}",
        f"worst input of ours {tally.worst_s * 1e3:.2f} ms of CPU; "
        f"memory grew by {tally.grown_bytes / 1024:,.0f} KiB",
        *(f"{count:>9,}  agree with {peer}" for peer, count in tally.agreements.items()),
        *(f"{count:>9,}  {peer} {what}" for (peer, what), count in tally.differences.most_common()),
        f"{len(tally.unexplained):>9,}  unexplained"
        + "".join(map("\n    {}".format, tally.unexplained)),
        f"{len(tally.by_reads):>9,}  other when cut"
        + "".join(map("\n    {}".format, tally.by_reads)),
    ]
    return "\n".join(lines)


def main() -> int:
    """0: every difference is explained. 1: one isn't."""
    asked, began = arguments(), time.monotonic()
    tally = fuzz(asked.inputs, asked.seed)
    sys.stdout.write(report(tally, time.monotonic() - began) + "\n")
    return 0 if tally.good else 1


if __name__ == "__main__":
    raise SystemExit(main())
