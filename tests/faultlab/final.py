"""The last observations of a run: what is kept, what each process serves, what they still hold."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg

from tests.faultlab.callers import Callers
from tests.faultlab.cluster import Cluster
from tests.faultlab.history import History, now
from tests.faultlab.witness import ROWS, row_fields
from tests.support.servers import Server

STILL_WITHIN_S = 180.0  # long before, the seats of those who left have been released
TROUBLE = re.compile(r"Traceback|ERROR|CRITICAL")
JOURNAL = """
SELECT party, code, j.version, extract(epoch FROM j.at)::float8, j.command, j.actor, j.entry
FROM room_journal j JOIN rooms USING (room_id) WHERE code = ANY(%s) ORDER BY code, j.version
"""
SEATS = """
SELECT party, code, s.player_id, s.username, s.username_key, s.role, s.is_host, s.seat_index
FROM room_seats s JOIN rooms USING (room_id) WHERE code = ANY(%s)
"""
MATCHES = "SELECT party, code, match_id, end_reason FROM matches WHERE code = ANY(%s)"
FIELDS = {
    "journal": ("party", "room", "version", "at", "command", "actor", "entry"),
    "seat": ("party", "room", "playerId", "username", "usernameKey", "role", "isHost", "seat"),
    "match": ("party", "room", "matchId", "endReason"),
}
Records = list[tuple[str, dict[str, Any]]]


async def conclude(cluster: Cluster, history: History, callers: Callers) -> None:
    """Write down everything there is, as of one moment: alarms may ring between what is kept and
    what is served, and then both are asked again."""
    give_up_at = now() + STILL_WITHIN_S
    while True:
        kept, versions = dump(cluster, history)
        served = await serve(cluster, history, callers)
        after = dump(cluster, history)[1]
        if after == versions or now() > give_up_at:
            break
    served = [one for one in served if versions.get(one[1]["room"]) == after.get(one[1]["room"])]
    for kind, fields in [*kept, *served]:
        history.write(kind, **fields)


def dump(cluster: Cluster, history: History) -> tuple[Records, dict[str, int]]:
    """Every room's rows in one transaction, and the versions that they show."""
    codes = [room_id for _, room_id in history.rooms]
    found: Records = []
    with cluster.postgres.connect() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        asked = now()
        rows = connection.execute(ROWS, [codes]).fetchall()
        for row in rows:
            fields = {**row_fields(row), "final": True, "t0": asked, "t1": now()}
            found.append(("row", fields))
        found += _others(connection, codes)
    return found, {row[1]: row[2] for row in rows}


def _others(connection: psycopg.Connection[tuple[Any, ...]], codes: list[str]) -> Records:
    found: Records = []
    for kind, query in (("journal", JOURNAL), ("seat", SEATS), ("match", MATCHES)):
        for row in connection.execute(query, [codes]).fetchall():
            fields = dict(zip(FIELDS[kind], row, strict=True))
            if kind == "journal":
                fields["entry"] = _without_hashes(json.loads(fields["entry"]))
            found.append((kind, fields))
    return found


def _without_hashes(entry: dict[str, Any]) -> dict[str, Any]:
    for name in ("token_hash", "tokenHash", "fingerprint"):
        entry.get("command", {}).pop(name, None)
    return entry


async def serve(cluster: Cluster, history: History, callers: Callers) -> Records:
    """What every process says of every room."""
    found: Records = []
    for party, room_id in sorted(history.rooms):
        for node in cluster.nodes:
            status, state = await callers.served(node, party, room_id)
            where = {"process": node.name, "party": party, "room": room_id}
            found.append(("served", {**where, "status": status, "state": state}))
    return found


def listen_to_logs(cluster: Cluster, history: History) -> None:
    """What the servers complained of since the last time somebody asked."""
    for node in cluster.nodes:
        for name, tier in ((node.name, node.realtime), (f"lobby-{node.name}", node.lobby)):
            for line in _lines(tier):
                history.write("log", process=name, t=now(), line=line)


def _lines(tier: Server) -> list[str]:
    """Every line is searched for secrets; those of requests are many and say nothing."""
    return [line for line in tier.news().splitlines() if TROUBLE.search(line) or "_" in line]
