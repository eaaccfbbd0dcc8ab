"""What the realtime service holds after many rooms were made and are gone."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from benchmarks import cores, figures
from benchmarks.cores import SERVERS, pinned
from config.env import DEV_SERVICE_KEY
from tests.support.databases import SqliteFile, manage
from tests.support.servers import Server, free_port, server

WARM_ROOMS, ROOMS = 3_000, 30_000
CALLERS = 8
LOOK_EVERY_S = 0.5
GONE_WITHIN_S = 600.0
# A room that nobody enters is over soon, and its code is free at once.
SWITCHES = {
    "RATE_LIMITS": "off",
    "VERIFY_STATE": "off",
    "ROOM_IDLE_S": "1",
    "SEAT_GRACE_S": "1",
    "EMPTY_ROOM_S": "1",
    "CLOSED_ROOM_S": "1",
    "PRUNE_INTERVAL_S": "1",
}


def measure(folder: Path, rounds: int, seconds: float) -> None:
    """Print resident memory before, with, and `seconds` after the rooms were gone."""
    database = SqliteFile(folder)
    manage(database, "migrate", "--noinput", "--verbosity=0")
    environ = {**database.environ, **SWITCHES, "REALTIME_PORT": str(free_port())}
    with pinned(SERVERS), server("realtime", environ, folder) as realtime:
        come_and_go(realtime, database, WARM_ROOMS, seconds)
        rows = [row(realtime, database, number, seconds) for number in range(1, rounds + 1)]
    head = [f"{ROOMS:,} rooms", "before, MiB", "when made", "when gone", "growth, %"]
    print(figures.table(head, rows))


def row(realtime: Server, database: SqliteFile, number: int, seconds: float) -> list[str]:
    before = held_mib(realtime)
    made, after = come_and_go(realtime, database, ROOMS, seconds)
    growth = 100 * (after - before) / before
    return [str(number), *(f"{mib:.0f}" for mib in (before, made, after)), f"{growth:+.1f}"]


def come_and_go(
    realtime: Server, database: SqliteFile, rooms: int, seconds: float
) -> tuple[float, float]:
    """Make rooms, and wait until storage and memory have none: MiB then and afterwards."""
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda _: make(realtime, range(rooms // CALLERS)), range(CALLERS)))
    made = held_mib(realtime)
    deadline = time.monotonic() + GONE_WITHIN_S
    while database.rows("SELECT 1 FROM rooms LIMIT 1") and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    time.sleep(seconds)
    return made, held_mib(realtime)


def make(realtime: Server, rooms: Iterable[int]) -> None:
    """Found rooms, one after the other, over one connection."""
    connection = http.client.HTTPConnection(realtime.host, realtime.port)
    headers = {
        "Authorization": f"Bearer {DEV_SERVICE_KEY}",
        "Content-Type": "application/json",
    }
    for _ in rooms:
        host = {"playerId": f"p_{uuid4()}", "playerToken": f"t_{uuid4()}", "username": "alice"}
        path = f"/parties/leet99/{uuid4().hex}/register"
        body = json.dumps({**host, "role": "player", "isHost": True})
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == http.HTTPStatus.OK
    connection.close()


def held_mib(realtime: Server) -> float:
    """Resident memory of the service's processes."""
    return cores.memory_kib(cores.group(realtime.leader.pid)) / 1024
