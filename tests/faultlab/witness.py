"""A database connection of the lab's own: what is committed while the clients are told things."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import psycopg

from tests.faultlab.history import History, now

POLL_EVERY_S = 0.2
ROWS = """
SELECT party, code, version, seq, status, phase, players, spectators, max_players, state
FROM rooms WHERE code = ANY(%s)
"""
COLUMNS = ("party", "room", "version", "seq", "status", "phase", "players", "spectators")
REACHED = "SELECT count(*) FROM rooms WHERE party = %s AND code = %s AND seq >= %s"
TOLD = """
SELECT count(*) FROM room_journal JOIN rooms USING (room_id)
WHERE party = %s AND code = %s AND strpos(entry, %s) > 0
"""


def row_fields(row: tuple[Any, ...]) -> dict[str, Any]:
    """A room's row as the history has it, without what only the service may know."""
    state = json.loads(bytes(row[9]))
    state.get("roster", {}).pop("credentials", None)
    return {**dict(zip(COLUMNS, row, strict=False)), "maxPlayers": row[8], "state": state}


class Witness:
    """Polls the rows, and asks at once whether what somebody was told is kept."""

    def __init__(self, url: str, history: History) -> None:
        self._url = url
        self._history = history
        self._versions: dict[tuple[str, str], int] = {}
        self._proofs: set[asyncio.Task[None]] = set()
        self._prover: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def watch(self) -> None:
        """Until cancelled. An outage of the database is not the witness's trouble."""
        while True:
            with suppress(psycopg.Error):
                async with await self._connect() as connection:
                    while True:
                        await self._look(connection)
                        await asyncio.sleep(POLL_EVERY_S)
            await asyncio.sleep(POLL_EVERY_S)

    def heard(self, party: str, room_id: str, seq: int) -> None:
        """A broadcast has arrived. While one proof is being asked for, others are let go."""
        self._ask(REACHED, (party, room_id, seq), of="frame", ref=seq)

    def told(self, party: str, room_id: str, op_id: int, player_id: str) -> None:
        """Somebody was admitted."""
        self._ask(TOLD, (party, room_id, player_id), of="op", ref=op_id)

    async def close(self) -> None:
        await asyncio.gather(*self._proofs)
        if self._prover:
            await self._prover.close()

    def _ask(self, question: str, values: tuple[Any, ...], **proof: Any) -> None:
        if not self._proofs:
            task = asyncio.create_task(self._prove(question, values, {"t": now(), **proof}))
            self._proofs.add(task)
            task.add_done_callback(self._proofs.discard)

    async def _prove(self, question: str, values: tuple[Any, ...], proof: dict[str, Any]) -> None:
        try:
            self._prover = self._prover or await self._connect()
            found = await (await self._prover.execute(question, values)).fetchone()
        except psycopg.Error:
            self._prover = None
            return
        where = {"party": values[0], "room": values[1]}
        self._history.write("proof", **where, **proof, found=found != (0,))

    async def _look(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        """Rows whose version is news."""
        asked = now()
        codes = [room_id for _, room_id in self._history.rooms]
        rows = await (await connection.execute(ROWS, [codes])).fetchall()
        answered = now()
        for row in rows:
            key = (row[0], row[1])
            if self._versions.get(key) != row[2]:
                self._versions[key] = row[2]
                self._history.write("row", t0=asked, t1=answered, **row_fields(row))

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=2)
