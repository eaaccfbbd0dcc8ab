"""One connection to PostgreSQL that runs prepared statements, and cannot hang for long.

It uses psycopg's libpq layer: arrays are sent as they were encoded, and a statement gives up the
interpreter once, however many rows it has.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from contracts.postgresql import open_session
from realtime.engine.database import NotMigrated
from realtime.engine.store import Busy, Rejected, StorageUnavailable, Unwritable

# How long statements wait for a lock. A commit that waited behind a round that waited in vain has
# to be answered within the deadline, so two such waits must fit in. And what follows a wait in vain
# may be hundreds of statements, each of which may meet a lock: together they have little time left.
_PATIENT_MS = 700
_HURRIED_MS = 2
_SESSION = {
    "statement_timeout": "2000",  # ms
    "lock_timeout": f"{_PATIENT_MS}",
    "idle_in_transaction_session_timeout": "2000",  # ms
    # One plan per statement, by index only: it is made while the tables are empty, and has to be
    # right for a million rows.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
_CLAIM = 0x67726565_6E726F6F  # the key of an advisory lock, which PostgreSQL keeps per database
_IN_USE = (
    "another realtime process uses this database, and without a common REDIS_URL neither would "
    "hear of what the other does. Set REDIS_URL for both, stop the other, or set DATABASE_URL to a "
    "database of its own."
)
_REJECTED = ("22", "23")  # classes of SQLSTATE: data exception, integrity constraint violation
_BUSY = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock not available
_UNWRITABLE = ("25006", "53100")  # read-only transaction, disk full
_NOT_MIGRATED = ("42P01", "42703")  # undefined table, undefined column
_BINARY = 1


class Claim(Enum):
    """Who else may use the database, as long as the connection lives."""

    ALONE = "pg_advisory_lock"  # nobody else who claims it
    TOGETHER = "pg_advisory_lock_shared"  # others who say the same


class PostgresConnection:
    """Connects when it is first asked, and again after it was lost. Used by one thread."""

    def __init__(self, params: dict[str, Any], *, claim: Claim | None = None) -> None:
        """`params` are those of `open_session`. A claim that others don't leave room for is
        refused with StorageUnavailable."""
        self._claim = claim
        self._params = params | {
            "application_name": "greenroom rooms",
            "session": params.get("session", {}) | _SESSION,
            "autocommit": True,
        }
        self._connection: psycopg.Connection | None = None
        self._prepared: set[bytes] = set()
        self._patient = True

    def ask(
        self, name: bytes, sql: str, values: Sequence[bytes] = (), *, patient: bool = True
    ) -> list[list[bytes]]:
        """Run a statement, and return its rows with their values in PostgreSQL's binary form.

        Not `patient`, it hardly waits for locks.
        Raises Rejected, Busy (then nothing happened) or StorageUnavailable (perhaps it did).
        """
        server = self._ready().pgconn
        try:
            if patient is not self._patient:
                self._wait_for_locks(server, patient)
            if name not in self._prepared:
                self._check(server.prepare(name, sql.encode()), ExecStatus.COMMAND_OK)
                self._prepared.add(name)
            result = server.exec_prepared(name, values, [_BINARY] * len(values), _BINARY)
            self._check(result, ExecStatus.TUPLES_OK)
        except psycopg.Error as problem:
            self.close()
            raise StorageUnavailable(str(problem)) from problem
        columns = range(result.nfields)
        return [[result.get_value(row, i) or b"" for i in columns] for row in range(result.ntuples)]

    def tell(self, command: str) -> None:
        """Run a command that has no rows. Raises as `ask` does."""
        server = self._ready().pgconn
        try:
            self._check(server.exec_(command.encode()), ExecStatus.COMMAND_OK)
        except psycopg.Error as problem:
            self.close()
            raise StorageUnavailable(str(problem)) from problem

    @property
    def connected(self) -> bool:
        """Whether there is a connection; it may be lost by now."""
        return self._connection is not None

    def interrupt(self) -> None:
        """Cut the connection, from any thread: whoever waits for it finds it lost."""
        if self._connection:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._socket.close()
            self._connection = None
            self._prepared.clear()
            self._patient = True

    def _wait_for_locks(self, server: PGconn, patient: bool) -> None:
        limit_ms = _PATIENT_MS if patient else _HURRIED_MS
        self._check(server.exec_(b"SET lock_timeout = %d" % limit_ms), ExecStatus.COMMAND_OK)
        self._patient = patient

    def _ready(self) -> psycopg.Connection:
        # A server that speaks without being asked is saying good-bye. Better to see it now than
        # to send a commit after it, whose outcome nobody would know.
        if self._connection and self._poll.poll(0):
            self.close()
        return self._connection or self._connect()

    def _connect(self) -> psycopg.Connection:
        try:
            connection = open_session(self._params)
        except psycopg.Error as problem:
            raise StorageUnavailable(str(problem)) from problem
        try:
            if self._claim:
                connection.execute(f"SELECT {self._claim.value}({_CLAIM})")
        except psycopg.Error as problem:
            connection.close()
            taken = isinstance(problem, psycopg.errors.LockNotAvailable)
            raise StorageUnavailable(_IN_USE if taken else str(problem)) from None
        # A descriptor of our own: libpq may close its while another thread interrupts.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._connection = connection
        return connection

    def _check(self, result: PGresult, expected: ExecStatus) -> None:
        if result.status != expected:
            problem = _problem(result)
            if isinstance(problem, StorageUnavailable):
                self.close()  # also after Unwritable: only a new session knows what can be written
            raise problem


def _problem(result: PGresult) -> Exception:
    """What an error means to the engine. Its detail is left out: it would quote a row's values."""
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    message = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
    if state.startswith(_REJECTED):
        return Rejected(message)
    if state in _BUSY:
        return Busy(message)
    if state in _UNWRITABLE:
        return Unwritable(message)
    if state in _NOT_MIGRATED:
        return NotMigrated()
    return StorageUnavailable(message or "the connection was lost")
