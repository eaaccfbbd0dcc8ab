"""Hosts whose clocks are wrong: rooms go by the database's, which all processes share."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.databases import PostgresDatabase, SqliteFile, manage
from tests.support.servers import Server, free_port, server, until
from tests.support.services import need_postgresql, need_redis
from tests.support.site import Site, Socket, player
from tests.support.skewed_realtime import PROGRAM, SKEW, set_clock

SKEW_S = 62.0  # more than a seat is kept for an absent member
MATCH_S = 3
NEVER_S = 40.0  # a match that has not ended by then ends by a clock that is wrong


@dataclass
class Host:
    """A machine with a realtime process, and a clock that can be set."""

    site: Site
    file: Path

    def set_clock(self, ahead_s: float) -> None:
        set_clock(self.file, ahead_s)

    @property
    def ready(self) -> dict[str, dict[str, str] | str]:
        return self.site.http.get(f"{self.site.realtime.url}/readyz").json()


@pytest.fixture(scope="module")
def tables():
    """A PostgreSQL database with its tables; each test has a copy."""
    with PostgresDatabase.scratch(need_postgresql()) as database:
        manage(database, "migrate", "--noinput", "--verbosity=0")
        yield database


@pytest.fixture
def hosts(tables, canary, tmp_path):
    """Makes a host for each clock, all on one PostgreSQL; without `REDIS_URL` it must be one."""

    @contextmanager
    def made(*ahead_s: float, **environ: str) -> Iterator[list[Host]]:
        with tables.copy(tmp_path) as database, ExitStack() as stack:
            yield [
                stack.enter_context(host(canary, tmp_path, database, number, one, **environ))
                for number, one in enumerate(ahead_s)
            ]

    return made


@contextmanager
def host(canary, folder, database, number, ahead_s, **environ: str) -> Iterator[Host]:
    file = folder / f"skew-{number}"
    set_clock(file, ahead_s)
    where = {"REALTIME_PORT": str(free_port()), SKEW: str(file), "RATE_LIMITS": "off"}
    skewed: Server = server("realtime", {**database.environ, **where, **environ}, folder)
    with skewed.that_runs(*PROGRAM) as running:
        yield Host(canary.hears(Site(running, database)), file)


def waiting(site: Site, room_id: str) -> None:
    """A room whose host has not connected yet."""
    assert site.register(room_id, player("alice", isHost=True)).status_code == 200


def started(site: Site, room_id: str) -> tuple[Socket, float]:
    """A match that has just begun, seen by its host; and when it was asked for."""
    alice = player("alice", isHost=True, settings={"matchDurationSec": MATCH_S})
    assert site.register(room_id, alice).status_code == 200
    socket = site.socket(room_id)
    socket.join(alice["playerToken"])
    socket.send("ADD_BOTS", {"count": 2})
    asked = time.monotonic()
    socket.send("START_MATCH")
    socket.next("MATCH_STARTED")
    return socket, asked


def ends(site: Site, room_id: str) -> list[tuple[float, float]]:
    """When the room's matches began and ended, as they are kept."""
    kept = site.database.rows(
        "SELECT extract(epoch FROM start_at)::float8, extract(epoch FROM end_at)::float8"
        " FROM matches WHERE code = ?",
        room_id,
    )
    return [(began, ended) for began, ended in kept]


def require_on_time(site: Site, room_id: str, asked: float) -> None:
    """Wait for the end of the one match of a room: not early, and by no clock that is behind."""
    until(lambda: ends(site, room_id), NEVER_S)
    assert time.monotonic() - asked >= MATCH_S, "a match has ended early"
    ((began, ended),) = ends(site, room_id)
    assert MATCH_S <= ended - began < SKEW_S


@pytest.mark.parametrize("ahead_s", [SKEW_S, -SKEW_S], ids=["ahead", "behind"])
def test_what_one_process_planned_another_rings_on_time(hosts, ahead_s):
    with hosts(0.0, ahead_s, REDIS_URL=need_redis()) as (right, wrong):
        waiting(right.site, "PLANS1")
        socket, asked = started(right.site, "PLANS2")
        with socket:
            right.site.realtime.kill()  # the other's look finds what is due
        require_on_time(wrong.site, "PLANS2", asked)
        assert [*wrong.site.kept("PLANS1").players.values()] == ["alice"]


def test_two_wrong_clocks_agree(hosts):
    """One is ahead, one is behind, and a room goes from one to the other and back."""
    with hosts(SKEW_S, -SKEW_S, REDIS_URL=need_redis()) as (ahead, behind):
        waiting(ahead.site, "AGREE1")
        for number, one in enumerate([behind, ahead] * 3):
            joined = one.site.register("AGREE1", player(f"player{number}"))
            assert joined.status_code == 200
        socket, asked = started(behind.site, "AGREE2")
        with socket:
            require_on_time(ahead.site, "AGREE2", asked)
        times = ahead.site.database.rows(
            "SELECT at FROM room_journal JOIN rooms USING (room_id) WHERE code = ?"
            " ORDER BY room_journal.version",
            "AGREE1",
        )
        assert all(before <= after for before, after in pairwise(times)), "time has gone back"
        assert len(ahead.site.kept("AGREE1").players) == 7


@pytest.mark.parametrize("step_s", [SKEW_S, -SKEW_S], ids=["forward", "back"])
def test_a_process_alone_whose_hosts_clock_is_stepped_goes_on(hosts, step_s):
    with hosts(0.0) as (alone,):
        assert alone.ready["checks"]["clock"] == "ok"
        waiting(alone.site, "STEPS1")
        socket, asked = started(alone.site, "STEPS2")
        alone.set_clock(step_s)
        with socket:
            require_on_time(alone.site, "STEPS2", asked)
        assert [*alone.site.kept("STEPS1").players.values()] == ["alice"]
        until(lambda: alone.ready["status"] == "degraded", NEVER_S)
        side = "ahead of" if step_s > 0 else "behind"
        assert alone.ready["checks"]["clock"] == f"62 s {side} the database's"
        said = alone.site.realtime.said
        assert f"clock is 62.0 s {side} the database's" in said
        alone.set_clock(0.0)
        until(lambda: alone.ready["status"] == "ok", NEVER_S)


def test_sqlite_goes_by_the_hosts_clock(canary, any_migrated, tmp_path):
    """There is no other: a process alone, whose rooms and due times have one clock."""
    with any_migrated.copy(tmp_path) as database:
        assert isinstance(database, SqliteFile)
        with host(canary, tmp_path, database, 0, SKEW_S) as alone:
            waiting(alone.site, "SQLITE")
            assert alone.ready == {
                "status": "ok",
                "checks": {"database": "ok", "migrations": "ok"},
            }
            ((at,),) = database.rows("SELECT updated_at FROM rooms")
            assert abs(seconds(at) - time.time() - SKEW_S) < SKEW_S / 2


def seconds(at: str) -> float:
    """What a text of SQLite's says, in seconds since the epoch."""
    return calendar.timegm(time.strptime(at[:19], "%Y-%m-%d %H:%M:%S"))
