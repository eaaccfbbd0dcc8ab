"""Scratch databases with the tables in them, and the processes that serve them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tests.support import services
from tests.support.databases import PostgresDatabase, SqliteFile, manage

Database: TypeAlias = SqliteFile | PostgresDatabase
Make: TypeAlias = Callable[[Path], AbstractContextManager[Database]]

# The server's own processes have no database; whoever else uses the server is not counted.
_WORKERS = """SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()
    AND (datname = current_database() OR datname IS NULL)"""


def available() -> dict[str, Make]:
    """How to make a database of each kind that this machine has; it goes with its block."""
    found: dict[str, Make] = {"SQLite": sqlite}
    if url := services.postgresql():
        found["PostgreSQL"] = partial(postgresql, url)
    return found


@contextmanager
def sqlite(folder: Path) -> Iterator[SqliteFile]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        database = SqliteFile(Path(own))
        migrate(database)
        yield database


@contextmanager
def postgresql(server_url: str, folder: Path) -> Iterator[PostgresDatabase]:
    with PostgresDatabase.scratch(server_url) as database:
        migrate(database)
        yield database


def migrate(database: Database) -> None:
    manage(database, "migrate", "--noinput", "--verbosity=0")


def workers(database: Database) -> list[int]:
    """The processes of a database's own; a file has none."""
    if isinstance(database, SqliteFile):
        return []
    return [pid for (pid,) in database.rows(_WORKERS)]
