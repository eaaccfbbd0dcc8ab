"""Two processes that race for a room, while the database is read-only or rooms are locked."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from itertools import cycle

import psycopg

from tests.e2e.test_processes import created, two
from tests.support.servers import until
from tests.support.site import player, together

AS_MUCH = 5


def test_after_a_read_only_database_the_next_write_succeeds(canary, tmp_path):
    with two(canary, tmp_path) as (here, there):
        created(here, "RONLY1")
        name = here.database.url.rsplit("/", 1)[1]
        sites = [here, there]

        def ask(label):
            return [
                site.register("RONLY1", player(f"{label}{n}")).status_code
                for n, site in enumerate(sites)
            ]

        for n in range(3):
            assert ask(f"a{n}") == [200, 200]  # contended: rows are held for a second
        alter(here, f"ALTER DATABASE {name} SET default_transaction_read_only = on", cut=True)
        assert ask("b") == [503, 503]
        time.sleep(1.5)  # longer than rows are held
        alter(here, f"ALTER DATABASE {name} RESET default_transaction_read_only")
        for n in range(4):
            for k, site in enumerate(sites):
                until(partial(admitted, site, "RONLY1", player(f"c{n}{k}")))


def test_reads_go_on_while_a_contended_room_is_read_only(canary, tmp_path):
    with two(canary, tmp_path) as (here, there):
        created(here, "RONLY2")
        name = here.database.url.rsplit("/", 1)[1]
        for n in range(3):
            for k, site in enumerate((here, there)):
                assert site.register("RONLY2", player(f"a{n}{k}")).status_code == 200
        alter(here, f"ALTER DATABASE {name} SET default_transaction_read_only = on", cut=True)
        states = [
            site.http.get(f"{site.realtime.url}/parties/leet99/RONLY2/state").status_code
            for site in (here, there)
        ]
        assert states == [200, 200]


def admitted(site, room_id, one):
    """Whether it is; one that is told to come back later does."""
    answer = site.register(room_id, one)
    assert answer.status_code in (200, 503), answer.text
    return answer.status_code == 200


def test_locked_rooms_leave_a_room_that_both_write_alone(canary, tmp_path, long):
    """With --long it is also measured: they cost it no more than a few times its own work."""
    locked = [f"LOCK0{n}" for n in range(6)]
    with two(canary, tmp_path) as pair, ExitStack() as stack:
        for room_id in [*locked, "FREE01"]:
            created(pair[0], room_id)
        control = together(timed, free(pair, "a"))  # nothing locked: this must pass
        assert {status for status, _ in control} == {200}, control
        for room_id in locked:
            stack.enter_context(pair[0].database.holding(room_id))
        calls = [(site, one, f"x{n}") for one in locked for n, site in enumerate(pair)]
        free_calls = free(pair, "b")
        answers = together(timed, [*calls, *free_calls])[len(calls) :]
        assert Counter(status for status, _ in answers) == {200: len(free_calls)}
        if long:
            assert slowest_s(answers) < AS_MUCH * slowest_s(control)


def free(pair, label):
    return [(site, "FREE01", f"{label}{n}") for n, site in zip(range(20), cycle(pair))]


def slowest_s(answers):
    return max(seconds for _, seconds in answers)


def timed(call):
    site, room_id, name = call
    began = time.monotonic()
    status = site.register(room_id, player(name)).status_code
    return status, time.monotonic() - began


def alter(site, command, *, cut=False):
    writable = "-c default_transaction_read_only=off"
    with psycopg.connect(site.database.url, autocommit=True, options=writable) as connection:
        connection.execute(command)
        if cut:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"  # and wait
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
