"""`scripts/format`: one layout for all code, and lint's own corrections."""

import subprocess

from scripts.lib.bootstrap import ready_python

if __name__ == "__main__":
    ruff = [ready_python(), "-m", "ruff"]
    mended = subprocess.run([*ruff, "check", "--fix"])
    laid_out = subprocess.run([*ruff, "format"])
    raise SystemExit(mended.returncode or laid_out.returncode)
