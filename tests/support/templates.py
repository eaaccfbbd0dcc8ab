"""Databases with their tables, migrated once in a run of tests; every test gets a copy of one."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.support.databases import PostgresDatabase, SqliteFile, manage
from tests.support.services import need_postgresql

RUN_FOLDER = "greenroom_run_folder"  # the name by which workers are told

run_folder = Path()  # shared by the processes of one run; tests/conftest.py says where it is


@cache
def sqlite_tables() -> SqliteFile:
    """A file that only copies are made of."""

    def make() -> str:
        folder = run_folder / "sqlite"
        folder.mkdir()
        migrate(SqliteFile(folder))
        return str(folder)

    return SqliteFile(Path(made_once("sqlite-tables", make)))


@cache
def postgresql_tables() -> PostgresDatabase:
    """A database that only copies are made of: PostgreSQL copies none that somebody uses."""

    def make() -> str:
        database = PostgresDatabase.create(need_postgresql())
        try:
            migrate(database)
        except BaseException:
            database.drop()
            raise
        return database.url

    return PostgresDatabase(made_once("postgresql-tables", make))


def migrate(database: SqliteFile | PostgresDatabase) -> None:
    manage(database, "migrate", "--noinput", "--verbosity=0")


def made_once(name: str, make: Callable[[], str]) -> str:
    """What `make` returned in the first process of this run that asked."""
    made = run_folder / name
    with made.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_text(make())
    return made.read_text()


def drop_templates() -> None:
    """Leave nothing on the PostgreSQL server, at the end of the run."""
    made = run_folder / "postgresql-tables"
    if made.exists():
        PostgresDatabase(made.read_text()).drop()
