"""Rows of the table of faults, as short parts of a campaign: what strikes, and what must hold."""

from __future__ import annotations

from typing import NamedTuple

from tests.faultlab import looks
from tests.faultlab.doomed_points import AFTER, ANSWERED, BEFORE, INSIDE
from tests.faultlab.faults import (
    SKEW_S,
    Enough,
    Fault,
    anything,
    crash_postgres,
    doom,
    flush_redis,
    forbid_writes,
    hang_postgres,
    hang_redis,
    kill,
    network,
    reference_rooms,
    restart_politely,
    restart_redis,
    set_back,
    skew,
    step,
    stop,
)
from tests.faultlab.looks import Look
from tests.faultlab.proxy import Mode


class Scenario(NamedTuple):
    """One row."""

    row: str
    strikes: tuple[Fault, ...]
    looks: tuple[Look, ...] = ()
    enough: Enough = anything  # what has to be seen before a fault is repaired
    long_looks: tuple[Look, ...] = ()  # with --long: they compare times
    recovers_within_s: float = 5.0  # on a calm machine, with --long
    converges_within_s: float = 5.0


SCENARIOS = [
    Scenario("kill -9 at any moment", (kill, kill, kill)),
    Scenario(
        "kill -9 before, inside, after the transaction, before the broadcast",
        tuple(doom(point) for point in (BEFORE, INSIDE, AFTER, ANSWERED)),
    ),
    Scenario(
        "PostgreSQL restart (immediate)",
        (crash_postgres, crash_postgres),
        (looks.sockets_stay,),
    ),
    Scenario(
        "PostgreSQL read-only",
        (forbid_writes, forbid_writes),
        (looks.sockets_stay, looks.writes_are_refused_and_reads_go_on),
        looks.refused_and_read,
    ),
    Scenario(
        "database hangs",
        (hang_postgres, hang_postgres),
        (looks.sockets_stay, looks.volatile_goes_on),
        looks.refused_and_signalled,
        (looks.nobody_waits_long,),
    ),
    Scenario("a foreign key to every room is held", (reference_rooms, reference_rooms)),
    Scenario(
        "the database goes back in time under running processes",
        (set_back, set_back, set_back),
        (looks.lost_histories_are_left,),
    ),
    Scenario(
        "Redis down, restarted, flushed",
        (restart_redis, flush_redis, hang_redis),
        (looks.sockets_stay, looks.work_goes_on),
        looks.granted,
        converges_within_s=15.0,
    ),
    Scenario("SIGSTOP a process while another works, SIGCONT", (stop,)),
    Scenario("SIGTERM", (restart_politely, restart_politely)),
    Scenario(
        "clocks of hosts differ",
        (skew(SKEW_S), skew(-SKEW_S), step(SKEW_S), step(-SKEW_S)),
    ),
    Scenario(
        "the network between the tiers and to storage",
        (
            network("lobby", Mode.CUT),
            network("database", Mode.CUT),
            network("database", Mode.SILENT),
            network("clients", Mode.CUT),
            network("redis", Mode.SILENT),
        ),
        converges_within_s=15.0,
    ),
]
