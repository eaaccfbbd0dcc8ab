"""The store on SQLite: alone, durable, and honest about a file that cannot be written."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from realtime.engine import sqlite_database
from realtime.engine.sqlite_file import Replaced
from realtime.engine.sqlite_values import timestamp
from realtime.engine.store import Busy, Rejected, StorageUnavailable
from realtime.parties.leet99 import Leet99
from realtime.testing import START, opened
from scripts.lib.bootstrap import ROOT
from tests.support.databases import SqliteFile
from tests.support.engine import until
from tests.support.servers import bare_environ
from tests.support.stores import DatabasePlace, batch, match, on, room, seat, told

ROOM = room("K7PQ2M")
OTHERS = [room(f"ROOM{number}") for number in range(4)]

ANOTHER_PROCESS = """
import asyncio, django
django.setup()
from realtime.engine.orm_store import OrmStore
from tests.support.stores import batch, room

async def commit_for_ever():
    store, version = OrmStore(), 0
    await store.start()
    while await store.commit(batch(room("K7PQ2M"), version)):
        version += 1
        print(version, flush=True)

asyncio.run(commit_for_ever())
"""


@pytest.fixture
def other(sqlite):
    """Another process, which commits one version of ROOM after the other, and says so."""
    process = subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS],
        cwd=ROOT,
        env=bare_environ()
        | sqlite.scratch.environ
        | {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def test_it_is_alone(sqlite):
    assert sqlite.store().alone


def test_a_second_process_is_refused_and_told_what_to_do(sqlite, other):
    assert other.stdout.readline() == "1\n"
    with pytest.raises(StorageUnavailable, match="set DATABASE_URL to a PostgreSQL database"):
        told(sqlite.store().start())


def test_what_was_acknowledged_survives_kill_9_and_the_file_is_free_again(sqlite, other):
    acknowledged = [int(other.stdout.readline()) for _ in range(50)]
    other.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in other.stdout]

    async def story(store):
        snapshot = await store.load(ROOM)
        assert snapshot.version in (acknowledged[-1], acknowledged[-1] + 1)
        return snapshot.version

    version = on(sqlite, story)
    assert sqlite.journal(ROOM) == [*range(1, version + 1)]


def test_a_closed_store_leaves_the_file_to_the_next(sqlite):
    for version in range(3):
        assert on(sqlite, partial(commits, base=version))


async def commits(store, base):
    return await store.commit(batch(ROOM, base))


def test_another_writer_makes_it_busy_for_a_while(sqlite):
    async def story(store):
        with sqlite.scratch.holding(ROOM.room_id):
            with pytest.raises(Busy):
                await store.commit(batch(ROOM))
            assert await store.load(ROOM) is None
        assert await store.commit(batch(ROOM))

    on(sqlite, story)


def test_another_writer_makes_everybody_busy(sqlite):
    """Also those who waited behind a round that waited in vain: the lock is that of the file."""

    async def story(store):
        with sqlite.scratch.holding(ROOM.room_id):
            first = asyncio.create_task(store.commit(batch(ROOM)))
            await until(lambda: store._writes._began)
            later = await asyncio.gather(
                *(store.commit(batch(key)) for key in OTHERS), return_exceptions=True
            )
        assert {type(outcome) for outcome in later} == {Busy}
        with pytest.raises(Busy):
            await first
        assert await asyncio.gather(*(store.commit(batch(key)) for key in OTHERS)) == [True] * 4

    on(sqlite, story)


def test_a_value_of_a_type_of_ours_harms_its_own_room_only(sqlite):
    async def story(store):
        commits = [batch(key, 0, seat("alice")) for key in OTHERS]
        commits[1] = batch(OTHERS[1], 0, seat("bob", username=object()))
        kept = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)
        assert isinstance(kept.pop(1), Rejected)
        assert kept == [True] * 3

    on(sqlite, story)


def test_a_full_disk_refuses_the_round_and_the_next_one_works(sqlite, monkeypatch):
    def limit_pages(most):
        settings = (*usual, f"PRAGMA max_page_count = {most}")
        monkeypatch.setattr(sqlite_database, "_SETTINGS", settings)

    usual = sqlite_database._SETTINGS

    async def story(store):
        assert await store.commit(batch(ROOM, state=bytes(2_000_000)))
        large = [store.commit(batch(key, state=bytes(2_000_000))) for key in OTHERS]
        kept = await asyncio.gather(*large, return_exceptions=True)
        assert all(isinstance(outcome, StorageUnavailable) for outcome in kept)
        limit_pages(1_000_000)
        assert await store.load(OTHERS[0]) is None
        assert await store.commit(batch(OTHERS[0], state=bytes(2_000_000)))

    limit_pages(800)
    on(sqlite, story)


def test_a_name_that_the_database_cannot_hold_harms_its_own_room_only(sqlite):
    async def story(store):
        commits = [batch(key, 0, seat("alice")) for key in OTHERS]
        commits[1] = batch(OTHERS[1], 0, seat("half a pair", username="\ud800"))
        kept = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)
        assert isinstance(kept.pop(1), Rejected)
        assert kept == [True] * 3

    on(sqlite, story)


def test_every_commit_reaches_the_disk(sqlite):
    database = sqlite_database.SqliteDatabase({"database": sqlite.config["NAME"]})
    with closing(database), database._ready() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert found == ["wal", 2, 1]


def test_times_are_written_as_django_reads_them(sqlite):
    times: dict[str, Any] = {"alarm_at": 1_700_000_060.25, "expires_at": 1_700_086_400.0}
    on(sqlite, lambda store: store.commit(batch(ROOM, 0, **times, matches=(match("m1"),))))
    query = "SELECT created_at, updated_at, alarm_at, expires_at FROM rooms"
    ((created, updated, alarm, expires),) = sqlite.rows(query)
    assert created == updated == "2023-11-14 22:13:21"
    assert alarm == "2023-11-14 22:14:20.250000"
    assert expires == "2023-11-15 22:13:20"
    ((start, end),) = sqlite.rows("SELECT start_at, end_at FROM matches")
    assert (start, end) == ("2023-11-14 22:13:20", "2023-11-14 22:14:50.500000")


def test_a_database_without_tables_says_what_to_do(tmp_path):
    with pytest.raises(StorageUnavailable, match=r"run manage\.py migrate"):
        told(DatabasePlace(SqliteFile(tmp_path)).store().start())


def test_a_database_of_another_age_says_what_to_do(sqlite):
    with closing(sqlite3.connect(sqlite.config["NAME"])) as connection, connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'realtime'")
    with pytest.raises(StorageUnavailable, match=r"not applied: realtime\.\w+; run manage\.py"):
        told(sqlite.store().start())


COLUMNS = (
    "visibility, status, phase, max_players, players, spectators, ruleset_config, seq, state, "
    "alarms_parked, version"
)


def test_a_row_says_after_every_turn_what_the_state_says(sqlite):
    """Most turns leave most columns as they were: these are not written again."""
    trial = opened(Leet99, ("alice", "bob"), playerCap=5)
    trial.receive("alice", "SEND_CHAT", {"text": "Hello"})
    trial.receive("alice", "UPDATE_SETTINGS", {"patch": {"playerCap": 7}})
    trial.register("carol", role="spectator")
    trial.receive("bob", "SEND_CHAT", {"text": "Hello"})
    trial.receive("alice", "START_MATCH")
    trial.advance(3600)
    trial.close()
    assert {commit.alike for commit in trial.commits} == {True, False}

    async def story(store):
        for commit in trial.commits:
            assert await store.commit(commit)
            (columns,) = sqlite.rows(f"SELECT {COLUMNS}, alarm_at, expires_at FROM rooms")
            row = commit.row
            assert columns == (
                row.visibility,
                row.status,
                row.phase,
                row.max_players,
                row.players,
                row.spectators,
                row.settings.decode(),
                row.seq,
                row.state,
                row.alarms_parked,
                commit.version,
                timestamp(row.alarm_at),
                timestamp(row.expires_at),
            )

    on(sqlite, story)


def deleted(file):
    file.unlink()


def replaced_by_a_backup(file):
    """As `mv`, `rsync` and a restored volume do it: another file has the name."""
    copy = file.with_name("backup")
    shutil.copy(file, copy)
    copy.rename(file)


def moved_away_and_back(file):
    file.rename(file.with_name("elsewhere"))
    shutil.copy(file.with_name("elsewhere"), file)


def without_its_wal(file):
    """What was written last is in the file beside it."""
    file.with_name(f"{file.name}-wal").unlink()


def without_its_index(file):
    file.with_name(f"{file.name}-shm").unlink()


LOSSES = [deleted, replaced_by_a_backup, moved_away_and_back, without_its_wal, without_its_index]


@pytest.mark.parametrize("lose", LOSSES)
def test_nothing_is_acknowledged_into_a_file_that_is_lost(sqlite, lose):
    async def story(store):
        assert await store.commit(batch(ROOM))
        lose(sqlite.scratch.file)
        for _ in range(2):  # and nothing mends it but a restart
            with pytest.raises(Replaced, match="deleted or replaced"):
                await store.commit(batch(ROOM, 1))
        assert "deleted or replaced" in (await store.check())["database"]

    on(sqlite, story)


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_file_is_noticed_when_nobody_commits(sqlite, lose):
    """The clock looks for due rooms every second."""

    async def story(store):
        noticed = asyncio.Event()
        store.on_return(noticed.set)
        await store.commit(batch(ROOM))
        lose(sqlite.scratch.file)
        with pytest.raises(Replaced):
            await store.due(["leet99"], START, 10)
        await noticed.wait()
        with pytest.raises(Replaced):
            await store.load(ROOM)

    on(sqlite, story)


def test_a_file_that_came_back_is_not_believed(sqlite):
    """Somebody may have written it meanwhile."""

    async def story(store):
        await store.commit(batch(ROOM))
        file = sqlite.scratch.file
        file.rename(file.with_name("elsewhere"))
        with pytest.raises(Replaced):
            await store.commit(batch(ROOM, 1))
        file.with_name("elsewhere").rename(file)
        with pytest.raises(Replaced):
            await store.commit(batch(ROOM, 1))

    on(sqlite, story)


def test_a_failure_does_not_open_another_file(sqlite):
    async def story(store):
        await store.commit(batch(ROOM))
        replaced_by_a_backup(sqlite.scratch.file)
        database = store._writes._work._database
        database._disconnect()  # as after any error of SQLite's
        with pytest.raises(Replaced):
            await store.load(ROOM)
        with pytest.raises(Replaced):
            await store.commit(batch(ROOM, 1))

    on(sqlite, story)


def test_files_that_come_and_go_with_connections_are_no_loss(sqlite):
    async def story(store):
        for version in range(3):
            assert await store.commit(batch(ROOM, version))
            assert sqlite.rows("SELECT version FROM rooms") == [(version + 1,)]
            store._writes._work._database._disconnect()
        assert set((await store.check()).values()) == {"ok"}

    on(sqlite, story)


def test_what_another_program_writes_into_the_file_is_noticed(sqlite):
    """`.restore` of the sqlite3 shell, say."""

    async def story(store):
        returns = []
        store.on_return(lambda: returns.append(1))
        await store.commit(batch(ROOM))
        set_back = sqlite.back_up()
        await store.due([], START, 1)
        await until(lambda: returns, limit_s=30)
        returns.clear()
        await store.commit(batch(ROOM, 1, seat("bob"), tag=5))
        await store.due([], START, 1)
        await asyncio.sleep(0)
        assert returns == [], "it was ourselves"
        set_back()
        await store.due([], START, 1)
        await until(lambda: returns, limit_s=30)
        assert not await store.commit(batch(ROOM, 2, base_tag=5))
        assert await store.commit(batch(ROOM, 1, seat("carol")))

    on(sqlite, story)
    assert sqlite.seats(ROOM) == {"p_carol": "carol"}
