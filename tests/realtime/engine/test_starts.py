"""What is found at the start, on a PostgreSQL and in a SQLite file that can't keep rooms."""

import logging
import os
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from realtime.engine.sqlite_database import SqliteDatabase
from realtime.engine.store import StorageUnavailable
from realtime.testing import START
from tests.faultlab.postgres import Postgres, programs
from tests.support.databases import PostgresDatabase, SqliteFile, manage
from tests.support.services import LEFT_OUT, POSTGRESQL, leave_out
from tests.support.stores import DatabasePlace, PostgresPlace, batch, on, room, seat

ROOM = room("K7PQ2M")


@pytest.fixture(scope="module")
def server():
    """A server of the tests' own, with the tables in its database."""
    if not programs():
        leave_out(POSTGRESQL)
    with Postgres() as server:
        manage(PostgresDatabase(server.url), "migrate", "--noinput", "--verbosity=0")
        yield server


def refusal(place):
    """The sentence that a store ends its start with."""

    async def started(store):
        raise AssertionError("the store has started")

    with pytest.raises(StorageUnavailable) as refused:
        on(place, started)
    return str(refused.value)


def of(server, role=""):
    """The server's database, as a role sees it."""
    url = urlsplit(server.url)
    netloc = f"{role}@127.0.0.1:{server.port}" if role else url.netloc
    return PostgresPlace(PostgresDatabase(url._replace(netloc=netloc).geturl()))


async def keeps(store):
    assert await store.commit(batch(ROOM))


@contextmanager
def with_setting(server, setting, value):
    """The database says so by default."""
    with server.connect() as connection:
        connection.execute(f"ALTER DATABASE greenroom SET {setting} = {value}")
        yield
    with server.connect("postgres") as connection:
        connection.execute(f"ALTER DATABASE greenroom RESET {setting}")


def test_a_database_that_is_read_only_by_default(server):
    with with_setting(server, "default_transaction_read_only", "on"):
        assert refusal(of(server)).startswith("the database takes no writes: default_transaction")


def test_a_role_without_rights_is_told_which(server):
    with server.connect() as connection:
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        said = refusal(of(server, "reader"))
        assert "INSERT on rooms, UPDATE on rooms, DELETE on rooms, INSERT on room_seats" in said
        assert "SELECT" not in said
        connection.execute("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader")
    on(of(server, "reader"), keeps)


def test_a_role_that_was_given_what_it_lacked_can_keep_and_prune(server):
    with server.connect() as connection:
        connection.execute("CREATE ROLE pruner LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO pruner")
        said = refusal(of(server, "pruner"))
        lacking = said.partition("GRANT it ")[2].partition(", or let")[0]
        for grant in lacking.split(", "):
            connection.execute(f"GRANT {grant} TO pruner")
    on(of(server, "pruner"), prunes)


async def prunes(store):
    over = room("OVER22")
    assert await store.commit(batch(over, 0, seat("alice"), status="closed", expires_at=START))
    assert not await store.prune(START + 1)
    assert await store.load(over) is None


def test_a_server_that_may_lose_what_it_took_is_used_with_a_warning(server, caplog):
    with server.connect() as connection:
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
    restart(server)
    with caplog.at_level(logging.WARNING, "realtime.engine.orm_store"):
        on(of(server), rests)
        assert "PostgreSQL runs without full_page_writes" in caplog.text
    with server.connect() as connection:
        connection.execute("ALTER SYSTEM RESET full_page_writes")
    restart(server)
    caplog.clear()
    on(of(server), rests)
    assert caplog.text == ""


def test_a_standby(server):
    signal = server._data / "standby.signal"
    server.crash()
    signal.touch()
    server.start()
    assert refusal(of(server)).startswith("DATABASE_URL names a standby, which takes no writes")
    server.crash()
    signal.unlink()
    server.start()


async def rests(store):
    pass


def restart(server):
    server.crash()
    server.start()


def test_a_file_that_is_no_database(tmp_path):
    file = SqliteFile(tmp_path)
    file.file.write_bytes(b"This is a letter, not a database. " * 100)
    assert "file is not a database" in refusal(DatabasePlace(file))


def test_a_file_in_memory_has_no_write_ahead_log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with closing(SqliteDatabase({"database": ":memory:"})) as database:
        with database._ready() as connection:
            connection.execute("CREATE TABLE rooms (room_id)")
        assert database.inspect().refusal.startswith(":memory: can't have a write-ahead log")


def test_a_file_that_may_only_be_read(sqlite):
    with only_readable(sqlite.scratch.file):
        said = refusal(sqlite)
    assert said.startswith(
        "greenroom.sqlite3 takes no writes (attempt to write a readonly database)"
    )


def test_a_folder_that_may_only_be_read(sqlite):
    with only_readable(sqlite.scratch.folder):
        assert refusal(sqlite).startswith("cannot lock greenroom.sqlite3.lock: ")


@contextmanager
def only_readable(path: Path):
    """A file or a folder that takes no writes, even root's."""
    if os.geteuid():
        mode = path.stat().st_mode
        path.chmod(0o500 if path.is_dir() else 0o400)
        yield
        path.chmod(mode)
        return
    if subprocess.run(["mount", "--bind", path, path], capture_output=True).returncode:
        pytest.skip(LEFT_OUT + "root, to mount a file read-only")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_a_file_in_utf_16_keeps_every_name(sqlite, tmp_path):
    wide = SqliteFile(tmp_path / "wide")
    wide.folder.mkdir()
    with closing(sqlite3.connect(wide.file)) as connection:
        connection.execute("PRAGMA encoding = 'UTF-16'")
        with closing(sqlite3.connect(sqlite.scratch.file)) as narrow:
            connection.executescript("\n".join(narrow.iterdump()))
        assert connection.execute("PRAGMA encoding").fetchone()[0].startswith("UTF-16")
    place = DatabasePlace(wide)

    async def story(store):
        assert await store.commit(batch(ROOM, 0, seat("Łukasz 🎲"), state="Łukasz 🎲".encode()))
        assert (await store.load(ROOM)).state.decode() == "Łukasz 🎲"

    on(place, story)
    assert place.seats(ROOM) == {"p_Łukasz 🎲": "Łukasz 🎲"}
