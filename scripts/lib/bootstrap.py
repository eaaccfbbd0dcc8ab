"""The environment in `.venv`: made when it is missing, made anew when it is stale or half done."""

import fcntl
import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class CannotInstall(Exception):
    """The environment cannot be made; the message is a sentence for the person who waits for it."""


class Venv:
    """The virtual environment of one checkout. Its stamp is written last, when all is in place."""

    def __init__(self, root: Path = ROOT) -> None:
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.requirements = root / "requirements.txt"
        self.stamp = self.folder / "greenroom-stamp"

    @property
    def fingerprint(self) -> str:
        """What the stamp must say: these pins, on this version of Python."""
        pins = hashlib.sha256(self.requirements.read_bytes()).hexdigest()
        return f"{sys.version_info.major}.{sys.version_info.minor} {pins}\n"

    @property
    def ready(self) -> bool:
        if not (self.python.exists() and self.stamp.exists()):
            return False
        return self.stamp.read_text() == self.fingerprint

    def ensure(self) -> None:
        """Make the environment unless it is ready. Raises CannotInstall."""
        if self.ready:
            return
        with self.locked():
            if not self.ready:
                self.make()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One maker at a time: the pins themselves are the lock, given back by the system."""
        with self.requirements.open() as pins:
            fcntl.flock(pins, fcntl.LOCK_EX)
            yield

    def make(self) -> None:
        if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise CannotInstall(
                f"this Python {version} lacks the venv module; "
                f"on Debian or Ubuntu: apt-get install python{version}-venv"
            )
        say("installing the pinned packages into .venv; this is done once …")
        self.run(sys.executable, "-m", "venv", "--clear", str(self.folder))
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self.run(*pip, "--no-deps", "--only-binary=:all:", "-r", str(self.requirements))
        self.stamp.write_text(self.fingerprint)

    def run(self, *command: str) -> None:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            reason = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
            raise CannotInstall(f"the environment in .venv could not be made. {reason}")


def say(sentence: str) -> None:
    print(f"greenroom: {sentence}", file=sys.stderr, flush=True)


def ready_python() -> str:
    """The environment's Python. When it can't be had, a sentence says why and the process ends."""
    venv = Venv()
    try:
        venv.ensure()
    except (CannotInstall, OSError) as problem:
        say(str(problem))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        say("interrupted; the next run starts the installation anew.")
        raise SystemExit(130) from None
    return str(venv.python)
