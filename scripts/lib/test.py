"""`scripts/test`: the suite, in the project's environment."""

import os
import sys

from scripts.lib.bootstrap import ready_python

if __name__ == "__main__":
    python = ready_python()
    os.execv(python, [python, "-m", "pytest", *sys.argv[1:]])
