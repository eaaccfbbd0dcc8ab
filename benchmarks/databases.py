"""Scratch databases with the tables in them, and the processes that serve them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from tests.support import services
from tests.support.databases import PostgresDatabase, SqliteFile, manage

Database: TypeAlias = SqliteFile | PostgresDatabase
Make: TypeAlias = Callable[[Path], AbstractContextManager[Database]]

# The server's own processes have no database; whoever else uses the server is not counted.
_WORKERS = """SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()
    AND (datname = current_database() OR datname IS NULL)"""

_CONNECTIONS = """SELECT pid FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()"""

_KEPT = "SELECT count(*), count(DISTINCT xmin::text) FROM room_journal"
_TRANSACTIONS = """SELECT xact_commit + xact_rollback FROM pg_stat_database
    WHERE datname = current_database()"""


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


class Kept(NamedTuple):
    """What came of a round in a database of PostgreSQL's."""

    turns: int
    commits: int  # transactions that kept turns, of one room or of several
    transactions: int  # all, those that read or lost a race among them


def kept(database: PostgresDatabase) -> Kept:
    """Once nobody is connected any more: a connection reports its transactions when it ends."""
    ((turns, commits),) = database.rows(_KEPT)
    ((transactions,),) = database.rows(_TRANSACTIONS)
    return Kept(turns, commits, transactions)


def workers(database: Database) -> list[int]:
    """The processes of a database's own; a file has none."""
    if isinstance(database, SqliteFile):
        return []
    return [pid for (pid,) in database.rows(_WORKERS)]


def confine(core: int, database: Database) -> None:
    """Hold the server's processes for a database's own connections to a core, where this user may.
    Connections that are opened later are free again."""
    if isinstance(database, SqliteFile):
        return
    for (pid,) in database.rows(_CONNECTIONS):
        with suppress(OSError):
            if "postgres" in Path(f"/proc/{pid}/comm").read_text():  # and not on another machine
                os.sched_setaffinity(pid, {core})
