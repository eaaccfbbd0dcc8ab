"""A PostgreSQL of the lab's own, which may be crashed, frozen and forbidden to write."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.faultlab.children import Child, children, send
from tests.support.servers import free_port, until

VERSIONS = Path("/usr/lib/postgresql")  # where Debian keeps each version's programs
NAME = "greenroom"
OPTIONS = ("fsync=on", "max_connections=60", "shared_buffers=32MB", "listen_addresses=127.0.0.1")
UP_WITHIN_S = 20.0
ROOM_TABLES = ("rooms", "room_seats", "room_journal", "matches", "match_players")
OURS = "FROM pg_stat_activity WHERE application_name LIKE 'greenroom%'"
# PostgreSQL refuses to run as root.
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")


def programs() -> Path | None:
    """The folder of the newest version's initdb and postgres; None when there is none."""
    found = VERSIONS.glob("*/bin/initdb")
    newest = max(found, key=lambda one: float(one.parts[-3]), default=None)
    if newest:
        return newest.parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


class Postgres:
    """One server with one database. `with` makes and removes it."""

    def __init__(self) -> None:
        folder = programs()
        assert folder, "PostgreSQL's initdb is not on this machine"
        self._programs = folder
        self.port = free_port()
        self.url = f"postgresql://{NAME}@127.0.0.1:{self.port}/{NAME}"

    def __enter__(self) -> Self:
        # Not below a folder that only its maker may enter: the server may run as somebody else.
        self._folder = Path(tempfile.mkdtemp(prefix="faultlab-postgres-"))
        try:
            self._make()
            self.start()
            with self.connect("postgres") as connection:
                connection.execute(f"CREATE DATABASE {NAME}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_child"):
            self._child.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- its life ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = [word for one in (*OPTIONS, f"port={self.port}") for word in ("-c", one)]
        sockets = ["-k", str(self._folder)]
        server = str(self._programs / "postgres")
        command = [*self._user, server, "-D", str(self._data), *sockets, *options]
        self._child = Child(command, self._folder / "log")
        self._child.start(self.answers)

    def crash(self) -> None:
        """What `pg_ctl stop -m immediate` does: no good-byes, and a recovery at the next start."""
        self._child.signal(signal.SIGQUIT)
        self._child.wait()

    def freeze(self) -> None:
        """Stop every process in its tracks: connections stay open, and nothing answers."""
        # First who makes new ones, then those there are.
        send(signal.SIGSTOP, self._child.pid)
        send(signal.SIGSTOP, *children(self._child.pid))

    def thaw(self) -> None:
        send(signal.SIGCONT, *children(self._child.pid), self._child.pid)

    # -- its rules --------------------------------------------------------------------------

    def forbid_writes(self) -> None:
        """Every transaction from now on is read-only, also those of open connections."""
        self._set_read_only("on")

    def allow_writes(self) -> None:
        self._set_read_only("off")

    def _set_read_only(self, switch: str) -> None:
        with self.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {switch}")
            connection.execute("SELECT pg_reload_conf()")
        until(lambda: self._says("SHOW default_transaction_read_only") == switch)

    # -- its past ---------------------------------------------------------------------------

    def back_up(self) -> None:
        """Keep a copy of the rooms as they are at one moment."""
        with self.connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for table in ROOM_TABLES:
                connection.execute(f"DROP TABLE IF EXISTS kept_{table}")
                connection.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")

    def set_back(self, *, quietly: bool = False) -> None:
        """Make the rooms what they were, as an asynchronous failover or a restore does: all that
        was connected is cut off. `quietly`: it is not."""
        with self.connect() as connection, connection.transaction():
            names = ", ".join(ROOM_TABLES)
            connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            if not quietly:
                connection.execute(f"SELECT pg_terminate_backend(pid) {OURS}")
            connection.execute(f"TRUNCATE {names} CASCADE")  # and what refers to them
            for table in ROOM_TABLES:
                connection.execute(f"INSERT INTO {table} TABLE kept_{table}")

    def _says(self, question: str) -> Any:
        with self.connect() as connection:
            return connection.execute(question).fetchall()[0][0]

    def allow_references(self) -> None:
        """Make a table of somebody else's, whose rows name rooms. Do this before there is load."""
        with self.connect() as connection:
            connection.execute("CREATE TABLE lab_references (room_id uuid REFERENCES rooms)")

    @contextmanager
    def rooms_referenced(self) -> Iterator[None]:
        """An open transaction of somebody else's, in which a new row names each room."""
        with self.connect() as connection, connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO lab_references SELECT room_id FROM rooms")
            yield

    # -- questions --------------------------------------------------------------------------

    def connect(self, database: str = NAME) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the lab's own."""
        return psycopg.connect(
            self.url.removesuffix(NAME) + database, autocommit=True, connect_timeout=30
        )

    def answers(self) -> bool:
        with suppress(psycopg.Error), self.connect("postgres"):
            return True
        return False

    def connections_of(self, application: str) -> list[int]:
        """The server processes that serve clients of this name."""
        asked = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s"
        with self.connect() as connection:
            return [pid for (pid,) in connection.execute(asked, [application]).fetchall()]

    # -- its making -------------------------------------------------------------------------

    def _make(self) -> None:
        if self._user:
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        make = [str(self._programs / "initdb"), "-D", str(self._data), "-U", NAME, "-A", "trust"]
        done = subprocess.run(
            [*self._user, *make, "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd="/",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _user(self) -> Sequence[str]:
        return AS_POSTGRES if os.getuid() == 0 else ()
