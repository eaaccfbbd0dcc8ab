"""The realtime service on a host whose clock is wrong: `python -m tests.support.skewed_realtime`.

The file that SKEW names says by how many seconds. It may change while the service runs: then the
host's clock is stepped.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import django

from config import env

SKEW = "TEST_SKEW"  # the environment variable that names the file
PROGRAM = ("-m", "tests.support.skewed_realtime")


def set_clock(file: Path, ahead_s: float) -> None:
    """Say by how much the clock is wrong. The file is replaced: no reader sees half of it."""
    draft = file.with_suffix(".draft")
    draft.write_text(str(ahead_s))
    draft.rename(file)


def skew(file: Path) -> None:
    """Shift what this process reads from the clock of its host. The monotonic one stays."""
    right = time.time
    time.time = lambda: right() + float(file.read_text())


if __name__ == "__main__":
    skew(Path(os.environ[SKEW]))
    env.enter("realtime")
    django.setup()
    from realtime import serve

    sys.exit(serve.main())
