"""A version runs on the tables of the next one, and takes them back as docs/operations.md says."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import both_tiers
from tests.support.databases import manage
from tests.support.operations import block, typed

NEWER = [
    "ALTER TABLE rooms ADD COLUMN newer integer NOT NULL DEFAULT 7",
    "ALTER TABLE room_seats ADD COLUMN newer integer NOT NULL DEFAULT 7",
    "CREATE TABLE of_the_next_version (id integer PRIMARY KEY)",
    "INSERT INTO django_migrations (app, name, applied)"
    " VALUES ('realtime', '9999_of_the_next_version', CURRENT_TIMESTAMP)",
]


@pytest.fixture
def database(migrated, tmp_path):
    with migrated.copy(tmp_path / "data") as database:
        yield database


def test_it_runs_on_newer_tables(database, canary, tmp_path):
    with both_tiers(database, tmp_path) as site:
        canary.hears(site)
        host = site.room("alice")
        database.run(*NEWER)  # while it runs
        plays(site, host, "bob")
        for tier in (site.realtime, site.lobby):
            tier.stop()
            tier.up()
        plays(site, host, "carl")
        plays(site, site.room("dora"), "emil")


def plays(site, host, guest):
    """A room takes a guest, and what is said."""
    assert site.join(host["roomId"], guest).status_code == 200
    with site.enter(host) as socket:
        socket.send("SEND_CHAT", {"text": f"welcome, {guest}"})
        socket.hear(f"welcome, {guest}")


def test_tables_are_taken_back_and_made_again(database, canary, tmp_path):
    """Its rooms stay."""
    with both_tiers(database, tmp_path) as site:
        host = canary.hears(site).room("alice")
        for tier in (site.realtime, site.lobby):
            tier.stop()
        shown = typed(
            block("Upgrade and roll back", ".venv/bin/python manage.py"), database.environ
        )
        assert "[X] 0003_processes" in shown
        assert site.kept(host["roomId"]).exists
        manage(database, "migrate", "--noinput", "--verbosity=0")
        for tier in (site.realtime, site.lobby):
            tier.up()
        plays(site, host, "bob")
