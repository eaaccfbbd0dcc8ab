"""Scratch databases for real servers, and the tests' own look at what is kept in them."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from scripts.lib.bootstrap import ROOT
from tests.support.servers import bare_environ

GATE = "gate"  # a file beside SQLite's: while it is there, slow seats wait
AT_THE_GATE = "at-the-gate"  # another: one is waiting, or was
GATE_LOCK = 4711  # the same on PostgreSQL, as an advisory lock


class Scratch(Protocol):
    """A database for one test's servers."""

    @property
    def environ(self) -> dict[str, str]:
        """What tells a server to use it."""

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a connection of its own reads, which sees only what is committed."""

    def run(self, *statements: str) -> None:
        """Have them done in one transaction."""

    def holding(self, room_id: str) -> AbstractContextManager[None]:
        """Another writer holds what a commit of this room needs."""

    def slow_seat(self, username: str) -> AbstractContextManager[Callable[[], None]]:
        """Writing the seat of this player takes until what is returned is called. The service has
        to run as `broken_realtime WaitsInside`."""

    def writing(self) -> bool:
        """Whether a slow seat is being written, inside its transaction."""


@dataclass
class SqliteFile:
    """One folder with the SQLite file in it."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"GREENROOM_DATA": str(self.folder)}

    @contextmanager
    def copy(self, folder: Path) -> Iterator[SqliteFile]:
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        yield SqliteFile(folder)

    @property
    def file(self) -> Path:
        return self.folder / "greenroom.sqlite3"

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, isolation_level=None, timeout=5)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection:
            return connection.execute(query, values).fetchall()

    def run(self, *statements: str) -> None:
        with closing(self.connect()) as connection:
            connection.executescript(";".join(["BEGIN IMMEDIATE", *statements, "COMMIT"]))

    @contextmanager
    def holding(self, room_id: str) -> Iterator[None]:
        with closing(self.connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    @contextmanager
    def slow_seat(self, username: str) -> Iterator[Callable[[], None]]:
        gate = self.folder / GATE
        (self.folder / AT_THE_GATE).unlink(missing_ok=True)
        gate.touch()
        self.rows(
            f"CREATE TRIGGER slow AFTER INSERT ON room_seats WHEN new.username = '{username}'"
            " BEGIN SELECT waits_at_the_gate(); END"
        )
        try:
            yield partial(gate.unlink, missing_ok=True)
        finally:
            gate.unlink(missing_ok=True)
            self.rows("DROP TRIGGER slow")

    def writing(self) -> bool:
        return (self.folder / AT_THE_GATE).exists() and self._locked()

    def _locked(self) -> bool:
        with closing(sqlite3.connect(self.file, isolation_level=None, timeout=0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False


@dataclass
class PostgresDatabase:
    """One database on a PostgreSQL server."""

    url: str

    @property
    def environ(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url}

    @classmethod
    @contextmanager
    def scratch(
        cls, server_url: str, template: str = "template1", tablespace: str = "pg_default"
    ) -> Iterator[PostgresDatabase]:
        """A database that is dropped afterwards."""
        database = cls.create(server_url, template, tablespace)
        try:
            yield database
        finally:
            database.drop()

    @classmethod
    def create(
        cls, server_url: str, template: str = "template1", tablespace: str = "pg_default"
    ) -> PostgresDatabase:
        name = f"greenroom_test_{uuid4().hex[:12]}"
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {tablespace}")
        return cls(urlsplit(server_url)._replace(path=f"/{name}").geturl())

    @contextmanager
    def copy(self, folder: Path, tablespace: str = "pg_default") -> Iterator[PostgresDatabase]:
        with self.scratch(self._server_url, self.name, tablespace) as copied:
            yield copied

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.removeprefix("/")

    @property
    def _server_url(self) -> str:
        return urlsplit(self.url)._replace(path="/postgres").geturl()

    def drop(self) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as server:
            server.execute(f"DROP DATABASE {self.name} WITH (FORCE)")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.replace("?", "%s"), values).fetchall()

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def holding(self, room_id: str) -> Iterator[None]:
        with psycopg.connect(self.url) as connection:
            connection.execute("SELECT FROM rooms WHERE code = %s FOR UPDATE", [room_id])
            yield
            connection.rollback()

    @contextmanager
    def slow_seat(self, username: str) -> Iterator[Callable[[], None]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [GATE_LOCK])
            connection.execute(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0"
                f" AS 'BEGIN PERFORM pg_advisory_xact_lock_shared({GATE_LOCK}); RETURN new; END'"
            )
            connection.execute(
                f"CREATE TRIGGER slow AFTER INSERT ON room_seats FOR EACH ROW"
                f" WHEN (new.username = '{username}') EXECUTE FUNCTION dawdle()"
            )

            def unlock() -> None:
                connection.execute("SELECT pg_advisory_unlock_all()")

            try:
                yield unlock
            finally:
                unlock()
                connection.execute("DROP FUNCTION dawdle() CASCADE")

    def writing(self) -> bool:
        waits = "datname = current_database() AND wait_event = 'advisory'"
        return self.rows(f"SELECT count(*) FROM pg_stat_activity WHERE {waits}") != [(0,)]


def manage(scratch: Scratch, *arguments: str, **environ: str) -> None:
    """Run a management command on a scratch database."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**bare_environ(), **scratch.environ, **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
