"""A disk of a few megabytes that a PostgreSQL server on this machine keeps a database on."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.support.services import LEFT_OUT

SIZE = "48m"
PAGE = b"\0" * 8192


class SmallDisk:
    """A tablespace with an end."""

    def __init__(self, folder: Path, tablespace: str) -> None:
        self.tablespace = tablespace
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no page free."""
        with self._filler.open("ab", buffering=0) as filler, suppress(OSError):
            while filler.write(PAGE):
                pass

    def empty(self) -> None:
        """Make room."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(server_url: str) -> Iterator[SmallDisk]:
    """Mounted for as long as the block runs; that takes root, and a server of this machine."""
    folder = Path(tempfile.mkdtemp(prefix="greenroom-disk-"))
    folder.chmod(0o755)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip(LEFT_OUT + "root, to mount a small disk")
    try:
        space = folder / "tablespace"
        space.mkdir(mode=0o700)
        owner = pwd.getpwnam("postgres")
        os.chown(space, owner.pw_uid, owner.pw_gid)
        with tablespace(server_url, space) as name:
            yield SmallDisk(folder, name)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def tablespace(server_url: str, folder: Path) -> Iterator[str]:
    name = f"greenroom_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        try:
            yield name
        finally:
            server.execute(f"DROP TABLESPACE {name}")
