"""Backups made and restored by the commands of docs/operations.md, while Greenroom runs."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from tests.e2e.conftest import both_tiers
from tests.support.databases import PostgresDatabase, SqliteFile, manage
from tests.support.operations import block, typed
from tests.support.services import need_postgresql
from tests.support.site import refusal

SECTION = "Backup and restore"
SQLITE_COMMANDS = [".venv/bin/python -c", "sqlite3 var/"]


@pytest.fixture
def on_sqlite(any_migrated, canary, tmp_path):
    with any_migrated.copy(tmp_path / "data") as database, both_tiers(database, tmp_path) as site:
        yield canary.hears(site)


def rooms_in(file):
    with closing(sqlite3.connect(file)) as connection:
        return {code for (code,) in connection.execute("SELECT code FROM rooms")}


def copy_sqlite(site, command, backup):
    names = {"var/": f"{site.database.folder}/", "backup.sqlite3": str(backup)}
    typed(block(SECTION, command), {}, **names)


@pytest.mark.parametrize("command", SQLITE_COMMANDS)
def test_a_backup_of_a_running_file_has_all_and_a_plain_copy_has_not(on_sqlite, tmp_path, command):
    made = {on_sqlite.room()["roomId"] for _ in range(8)}
    shutil.copy(on_sqlite.database.file, tmp_path / "copy.sqlite3")
    assert not made & rooms_in(tmp_path / "copy.sqlite3")
    copy_sqlite(on_sqlite, command, tmp_path / "backup.sqlite3")
    assert made == rooms_in(tmp_path / "backup.sqlite3")
    assert [one.name for one in tmp_path.glob("backup*")] == ["backup.sqlite3"]


def test_a_file_that_is_not_there_is_no_empty_backup(tmp_path):
    command, names = block(SECTION, SQLITE_COMMANDS[0]), {"var/": f"{tmp_path}/"}
    with pytest.raises(AssertionError, match="unable to open database file"):
        typed(command, {}, **names, **{"backup.sqlite3": str(tmp_path / "backup.sqlite3")})


def test_a_sqlite_backup_is_restored(on_sqlite, tmp_path):
    """Both tiers were killed, so that a log of the old file is left beside it."""
    site, data = on_sqlite, f"{on_sqlite.database.folder}/"
    before = site.room("alice")
    copy_sqlite(site, SQLITE_COMMANDS[0], tmp_path / "backup.sqlite3")
    after = site.room("late")
    for tier in (site.realtime, site.lobby):
        tier.kill()
    assert site.database.file.with_name("greenroom.sqlite3-wal").exists()
    restore = block(SECTION, "rm -f")
    names = {"var/": data, "backup.sqlite3": str(tmp_path / "backup.sqlite3")}
    typed(restore, site.database.environ, **names)
    for tier in (site.realtime, site.lobby):
        tier.up()
    holds_the_backup(site, before, after)


def holds_the_backup(site, before, after):
    """What was there then is there, and what came later is not."""
    with site.enter(before) as alice:
        alice.send("SEND_CHAT", {"text": "I am back"})
        alice.hear("I am back")
    assert site.join(before["roomId"], "bob").status_code == 200
    assert refusal(site.summary(after["roomId"])) == (404, "ROOM_NOT_FOUND")
    with site.socket(after["roomId"]) as late:
        late.send("JOIN_ROOM", {"playerToken": after["playerToken"]})
        assert late.closed() == 4004


@pytest.fixture
def on_postgresql(canary, tmp_path):
    with PostgresDatabase.scratch(need_postgresql()) as database:
        manage(database, "migrate", "--noinput", "--verbosity=0")
        with both_tiers(database, tmp_path) as site:
            yield canary.hears(site)


def test_a_postgresql_backup_is_restored(on_postgresql, canary, tmp_path):
    site, name = on_postgresql, f"greenroom_restored_{uuid4().hex[:12]}"
    environ, dump = site.database.environ, {"greenroom.dump": str(tmp_path / "greenroom.dump")}
    before = site.room("alice")
    typed(block(SECTION, "pg_dump"), environ, **dump)
    after = site.room("late")
    for tier in (site.realtime, site.lobby):
        tier.stop()
    restored = PostgresDatabase(urlsplit(site.database.url)._replace(path=f"/{name}").geturl())
    written = "postgresql://greenroom:PASSWORD@127.0.0.1:5432/greenroom_restored"
    names = {written: restored.url, " greenroom_restored": f" {name}", **dump}
    try:
        typed(block(SECTION, "createdb"), environ, **names)
        with both_tiers(restored, tmp_path) as again:
            # The room's address is the one of the first Greenroom.
            before["wsUrl"] = f"{again.realtime.url}/parties/leet99/{before['roomId']}".replace(
                "http", "ws", 1
            )
            holds_the_backup(canary.hears(again), before, after)
    finally:
        with psycopg.connect(need_postgresql(), autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        for tier in (site.realtime, site.lobby):
            tier.up()


def test_the_restored_log_would_be_read_into_the_backup(any_migrated, tmp_path):
    """Why the document says `rm`: SQLite takes a log that lies there for the file's own."""
    database = SqliteFile(tmp_path)
    with any_migrated.copy(tmp_path):
        backup = database.file.read_bytes()
        with closing(database.connect()) as writer:
            writer.execute("CREATE TABLE later (n)")
            log = database.file.with_name("greenroom.sqlite3-wal").read_bytes()
        database.file.write_bytes(backup)
        database.file.with_name("greenroom.sqlite3-wal").write_bytes(log)
        assert database.rows("SELECT name FROM sqlite_master WHERE name = 'later'") == [("later",)]
