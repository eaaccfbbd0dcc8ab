"""`scripts/test`: the suite, in the project's environment and on every core."""

import os
import sys
from collections.abc import Sequence

from scripts.lib.bootstrap import ready_python

# A file's tests stay together, as they share servers; tests/conftest.py sorts the files.
# More workers than this would take all connections of a PostgreSQL as it is installed.
ON_EVERY_CORE = ["-n", "auto", "--maxprocesses=4", "--dist", "loadfile", "--no-loadscope-reorder"]
# Who says one of these wants one process, or says how many.
SAYS_HOW_MANY = ("-n", "--numprocesses", "--dist", "--pdb", "--trace", "-s", "--capture", "-h")


def pytest_arguments(given: Sequence[str]) -> list[str]:
    """Those given, and without any that choose a few tests, those for every core."""
    chosen = [one for one in given if one.startswith(SAYS_HOW_MANY) or one == "no:xdist"]
    files = [one for one in given if not one.startswith("-") and ".py" in one]
    return [*given] if chosen or files else [*ON_EVERY_CORE, *given]


if __name__ == "__main__":
    python = ready_python()
    os.execv(python, [python, "-m", "pytest", *pytest_arguments(sys.argv[1:])])
