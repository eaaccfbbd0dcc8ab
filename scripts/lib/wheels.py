"""Whether every pin has a wheel on every platform we promise; pip is asked, installing nothing."""

import hashlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from scripts.lib.bootstrap import ROOT
from scripts.lib.pip import pip_environ

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
GLIBCS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux_2_5", "manylinux1")
PLATFORMS = {
    "Linux x86-64": [f"{glibc}_x86_64" for glibc in GLIBCS],
    "Linux arm64": [f"{glibc}_aarch64" for glibc in GLIBCS],
    "macOS x86-64": ["macosx_11_0_x86_64"],
    "macOS arm64": ["macosx_11_0_arm64"],
}
REQUIREMENTS = ROOT / "requirements.txt"
ANSWER = ROOT / ".venv" / "wheels-checked"


def missing(python: str, platform: str) -> str:
    """What pip says of the first pin without a wheel for this target; empty when all have one."""
    with tempfile.TemporaryDirectory() as nowhere:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps"]
        command += ["--ignore-installed", "--only-binary=:all:", "--target", nowhere]
        command += ["--implementation=cp", f"--python-version={python}"]
        command += [f"--platform={tag}" for tag in PLATFORMS[platform]]
        command += ["-r", str(REQUIREMENTS)]
        environ = pip_environ(sys.executable)
        asked = subprocess.run(command, env=environ, capture_output=True, text=True)
    if asked.returncode == 0:
        return ""
    reason = (asked.stderr.strip().splitlines() or ["pip failed and said nothing"])[-1]
    return f"{platform}, CPython {python}: {reason}"


def main() -> int:
    question = REQUIREMENTS.read_bytes() + Path(__file__).read_bytes()
    fingerprint = hashlib.sha256(question).hexdigest()
    if ANSWER.exists() and ANSWER.read_text() == fingerprint:
        return 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = pool.map(lambda target: missing(*target), product(PYTHONS, PLATFORMS))
        problems = [answer for answer in answers if answer]
    print("\n".join(problems))
    if not problems:
        ANSWER.write_text(fingerprint)
    return len(problems)


if __name__ == "__main__":
    raise SystemExit(main())
