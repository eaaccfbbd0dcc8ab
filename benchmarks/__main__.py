"""`benchmarks/run`: on Linux, in the project's environment."""

import os
import sys

from scripts.lib.bootstrap import ready_python, say

if __name__ == "__main__":
    if sys.platform != "linux":
        say("the benchmarks need Linux: they give processes their cores, and read /proc.")
        raise SystemExit(1)
    python = ready_python()
    os.execv(python, [python, "-m", "benchmarks.programs", *sys.argv[1:]])
