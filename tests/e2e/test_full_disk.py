"""A disk that is full, and a database that may only be read: what is written is refused, the rest
goes on, and nobody has to be restarted afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.support.servers import free_port, server, until
from tests.support.services import need_postgresql
from tests.support.site import Site, player, refusal
from tests.support.small_disk import small_disk
from tests.support.templates import postgresql_tables

UNAVAILABLE = (503, "STORAGE_UNAVAILABLE")


class FullDisk:
    """The disk has no page left."""

    @staticmethod
    @contextmanager
    def database(folder: Path):
        with (
            small_disk(need_postgresql()) as disk,
            postgresql_tables().copy(folder, disk.tablespace) as database,
        ):
            yield database, disk.fill, disk.empty


class ReadOnly:
    """An operator has made the database read-only."""

    @staticmethod
    @contextmanager
    def database(folder: Path):
        with postgresql_tables().copy(folder) as database:

            def allow_writes(allowed: bool) -> None:
                options = "-c default_transaction_read_only=off"
                with psycopg.connect(database.url, autocommit=True, options=options) as session:
                    name = database.name
                    how = f"SET default_transaction_read_only = {'off' if allowed else 'on'}"
                    session.execute(f"ALTER DATABASE {name} {how}")
                    session.execute(
                        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )

            yield database, lambda: allow_writes(False), lambda: allow_writes(True)


@pytest.mark.parametrize("fault", [FullDisk, ReadOnly])
def test_what_can_not_be_written_is_refused_and_the_rest_goes_on(fault, canary, tmp_path):
    with fault.database(tmp_path) as (database, begin, end):
        environ = {**database.environ, "REALTIME_PORT": str(free_port()), "RATE_LIMITS": "off"}
        with server("realtime", environ, tmp_path) as realtime:
            site = canary.hears(Site(realtime, database))
            alice = player("alice", isHost=True)
            assert site.register("FULL01", alice).status_code == 200
            with site.socket("FULL01") as socket:
                socket.join(alice["playerToken"])
                begin()
                kept = refused_at_last(site)
                assert site.http.get(site.realtime.url + "/readyz").status_code == 200
                assert socket.join(alice["playerToken"])["players"]  # a snapshot all the same
                state = site.http.get(f"{site.realtime.url}/parties/leet99/FULL01/state")
                assert state.json()["playerCount"] == 1 + len(kept)
                socket.send("SEND_CHAT", {"text": "is this on?"})
                assert socket.next("ERROR")["payload"]["code"] == "STORAGE_UNAVAILABLE"
                end()
                until(lambda: site.register("FULL01", player("late")).status_code == 200)
                assert socket.see("late")
            assert {"alice", "late", *kept} == {*site.kept("FULL01").players.values()}
            assert "ERROR" in realtime.news()  # the operator was told


def refused_at_last(site: Site) -> list[str]:
    """Join until there is no place to keep one: those who were let in before."""
    kept: list[str] = []
    for number in count():
        joined = site.register("FULL01", player(f"j{number}", role="spectator"))
        if joined.status_code != 200:
            assert refusal(joined) == UNAVAILABLE
            return kept
        kept.append(f"j{number}")
        assert number < 900, "there is always room"
    raise AssertionError
