"""Reads through the ORM, in a few threads of their own: bounded, and never a write."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar, cast

import psycopg
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from contracts.complaints import Complaints
from contracts.errors import RoomError
from realtime.engine.rounds import Rounds
from realtime.engine.store import StorageUnavailable

ALIAS = "listings"  # what the threads call their connections; no other thread knows the name
THREADS = 2
CALLS_MAX = 100  # under way or waiting; one more is refused with StorageUnavailable
LIMIT_S = 2.0  # a read that takes longer is broken off, and its caller told StorageUnavailable
_SESSION = {"default_transaction_read_only": "on", "jit": "off"}

Result = TypeVar("Result")


class Question(NamedTuple):
    """A function that reads through the ORM with `using(ALIAS)`, and its arguments."""

    read: Callable[..., object]
    arguments: tuple[object, ...]


class Reads:
    """Threads that read. Equal questions that wait together are asked once."""

    def __init__(self, alias: str, *, calls_max: int = CALLS_MAX, limit_s: float = LIMIT_S) -> None:
        """`alias` names one of Django's DATABASES, as it is now."""
        database = read_only(connections.settings[alias])
        self._threads = [
            Rounds[Question, object](Reader(database), f"listings {number}")
            for number in range(THREADS)
        ]
        self._calls: Counter[Rounds[Question, object]] = Counter()
        self._calls_max = calls_max
        self._limit_s = limit_s
        self._complaints = Complaints("listings")

    def start(self) -> None:
        """Begin to serve the running event loop. A thread connects when it is first asked."""
        for thread in self._threads:
            thread.start()

    async def close(self) -> None:
        """Finish what waits, then let go of threads and connections."""
        await asyncio.gather(*(thread.close() for thread in self._threads))

    async def ask(self, read: Callable[..., Result], *arguments: object) -> Result:
        """What `read` returns in a thread. Raises its RoomError, or StorageUnavailable."""
        try:
            return cast("Result", await self._ask(Question(read, arguments)))
        except StorageUnavailable as problem:
            self._complaints.add(str(problem))
            raise

    async def _ask(self, question: Question) -> object:
        if self._calls.total() >= self._calls_max:
            raise StorageUnavailable("too many wait for a listing")
        thread = min(self._threads, key=self._calls.__getitem__)
        self._calls[thread] += 1
        try:
            async with asyncio.timeout(self._limit_s):
                return await thread.call(question)
        except TimeoutError:
            raise StorageUnavailable(f"no answer within {self._limit_s} s") from None
        finally:
            self._calls[thread] -= 1


class Reader:
    """What one thread does, on a connection of its own that is replaced when it is lost."""

    def __init__(self, database: dict[str, Any]) -> None:
        """`database` is an entry of Django's DATABASES."""
        self._database = database
        self._connection: BaseDatabaseWrapper | None = None

    def run(self, items: Sequence[Question]) -> Sequence[object]:
        """An answer or an exception for each."""
        self._prepare()
        answers = {question: self._answer(question) for question in dict.fromkeys(items)}
        return [answers[question] for question in items]

    def interrupt(self) -> None:
        """Break off what hangs, from another thread."""
        connection = self._connection and self._connection.connection
        with suppress(OSError, psycopg.Error, sqlite3.Error):  # it may be closed by now
            if isinstance(connection, sqlite3.Connection):
                connection.interrupt()
            elif connection:
                with socket.socket(fileno=os.dup(connection.fileno())) as shared:
                    shared.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection:
            self._connection.close()

    def _prepare(self) -> None:
        """Make the connection known to this thread, and see before its use whether it lives."""
        if self._connection is None:
            backend = load_backend(self._database["ENGINE"])
            self._connection = backend.DatabaseWrapper(self._database, ALIAS)
            connections[ALIAS] = self._connection
        self._connection.close_if_unusable_or_obsolete()

    def _answer(self, question: Question) -> object:
        try:
            return question.read(*question.arguments)
        except RoomError as refusal:
            return refusal
        except Error as problem:
            return StorageUnavailable(_words(problem))
        except Exception as bug:  # noqa: BLE001  the others of the round are answered
            return bug


def _words(problem: Error) -> str:
    """What the database said. Its detail is left out: it would quote a row's values."""
    said = problem.__cause__
    primary = said.diag.message_primary if isinstance(said, psycopg.Error) else None
    return primary or str(problem).partition("\n")[0]


def read_only(database: dict[str, Any]) -> dict[str, Any]:
    """The same database for reads alone."""
    options = dict(database["OPTIONS"])
    if "sqlite" in database["ENGINE"]:
        options["init_command"] = "PRAGMA query_only = ON"
    else:
        options |= {
            "application_name": "greenroom listings",
            "session": options["session"] | _SESSION,
        }
    kept = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    return {**database, **kept, "OPTIONS": options}
