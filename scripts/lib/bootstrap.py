"""The environment in `.venv`: made when it is missing, made anew when it is stale or half done."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.lib.pip import BadPipSettings, pip_environ, plain_environ

ROOT = Path(__file__).resolve().parent.parent.parent
SPACE_MIN_MIB = 500  # with less, the environment may not fit


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
        """Whether it is whole, and its Python runs."""
        if not (self.python.exists() and self.stamp.exists()):
            return False
        return self.stamp.read_text() == self.fingerprint and self.runs

    @property
    def runs(self) -> bool:
        """Whether its Python starts, and finds itself in this environment."""
        if Path(sys.prefix).resolve() == self.folder.resolve():
            return True  # it is what runs here
        command = [str(self.python), "-c", "import sys; print(sys.prefix)"]
        with suppress(OSError):
            asked = subprocess.run(command, env=plain_environ(os.environ), capture_output=True)
            prefix = Path(os.fsdecode(asked.stdout.rstrip(b"\n")))
            return prefix.resolve() == self.folder.resolve()
        return False

    def ensure(self) -> None:
        """Make the environment unless it is ready. Raises CannotInstall."""
        self.require_own_folder()
        if self.ready:
            return
        with self.locked():
            if not self.ready:
                self.make()

    def require_own_folder(self) -> None:
        """Raise CannotInstall where making the environment would empty something else."""
        if self.folder.is_symlink():
            raise CannotInstall(
                f"{self.folder} is a symbolic link, and making it anew would empty what it leads "
                "to; remove the link: each checkout has an environment of its own."
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise CannotInstall(f"{self.folder} is no folder; remove it.")

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
        if not os.access(self.folder if self.folder.exists() else self.folder.parent, os.W_OK):
            raise CannotInstall(
                f"{self.folder.parent} can't be written to, and .venv belongs there: "
                "use a copy of the checkout that you may change."
            )
        say("installing the pinned packages into .venv; this is done once …")
        self.stamp.unlink(missing_ok=True)  # first, for what follows may be cut short at any point
        environ = plain_environ(os.environ)
        self.run(environ, sys.executable, "-m", "venv", "--clear", str(self.folder))
        try:
            environ = pip_environ(str(self.python))
        except BadPipSettings as problem:
            raise CannotInstall(f"pip can't read its settings. {problem}") from None
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--no-deps"]
        self.run(environ, *pip, "--only-binary=:all:", "-r", str(self.requirements))
        self.stamp.write_text(self.fingerprint)

    def run(self, environ: dict[str, str], *command: str) -> None:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            reason = f"{reason_in(done.stdout)}{self.space_note}"
            raise CannotInstall(f"the environment in .venv could not be made. {reason}")

    @property
    def space_note(self) -> str:
        """What a full disk adds to a reason: venv and pip do not always say so."""
        free_mib = shutil.disk_usage(self.folder.parent).free >> 20
        return f" The disk has {free_mib} MiB left." if free_mib < SPACE_MIN_MIB else ""


def reason_in(output: str) -> str:
    """What of a failed program's output says why."""
    lines = [line for line in output.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "Error:"))]
    return (errors or lines or ["it said nothing"])[-1]


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
