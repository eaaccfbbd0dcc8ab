"""Whether the lobby lives (/healthz), and whether it can work (/readyz)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import extend_schema

from contracts.complaints import Complaints
from contracts.exchange import Response
from contracts.http import Health
from contracts.postgresql import Unfit
from contracts.reasons import database_reason
from lobby import status
from lobby.answers import answer
from lobby.api import ApiView
from lobby.requests import ApiRequest

NOT_APPLIED = "not applied"
CHECKED_WITHIN_S = 5.0  # a database that hangs would hold whoever asks for as long


class HealthView(ApiView):
    """/healthz"""

    @extend_schema(operation_id="readHealth", responses=Health)
    async def get(self, request: ApiRequest) -> Response:
        """Always the same, as long as the loop turns."""
        return answer(Health("ok"))


class ReadyView(ApiView):
    """/readyz"""

    @extend_schema(operation_id="readReadiness", responses={200: Health, 503: Health})
    async def get(self, request: ApiRequest) -> Response:
        """503 before the database is migrated. Without the realtime service, or without an answer
        of the database, it is degraded and 200: the API needs no database, no other lobby would do
        better, and taking this one away would only hide why."""
        checks = await readiness.checks()
        if checks["migrations"] == NOT_APPLIED:
            return answer(Health("unavailable", checks), status=503)
        well = set(checks.values()) == {"ok"}
        return answer(Health("ok" if well else "degraded", checks))


class Readiness:
    """One check at a time, in one thread, however many ask: they share what it finds."""

    def __init__(self) -> None:
        self._under_way: asyncio.Task[dict[str, str]] | None = None

    async def checks(self) -> dict[str, str]:
        """Each check's word, `ok` for the good ones. Whoever goes away stops it for nobody."""
        if self._under_way is None:
            self._under_way = asyncio.create_task(_checks())
            self._under_way.add_done_callback(self._forget)
        try:
            async with asyncio.timeout(CHECKED_WITHIN_S):
                return await asyncio.shield(self._under_way)
        except TimeoutError:
            return dict.fromkeys(("database", "migrations", "realtime"), "no answer in time")

    def _forget(self, _: object) -> None:
        self._under_way = None


readiness = Readiness()
complaints = Complaints("checks of the lobby's database")


async def _checks() -> dict[str, str]:
    storage, realtime = await asyncio.gather(_storage_in_a_thread(), status.states())
    return {**storage, "realtime": status.in_words(realtime)}


async def _storage_in_a_thread() -> dict[str, str]:
    async with ThreadSensitiveContext():  # a thread that no page makes wait
        return await sync_to_async(_storage)()


def _storage() -> dict[str, str]:
    """Each time over a connection of its own: one that was lost must not be asked again."""
    try:
        if (database := _says(_database)) != "ok":
            return {"database": database, "migrations": "not asked"}
        return {"database": database, "migrations": _says(_tables)}
    finally:
        connection.close_if_unusable_or_obsolete()


class NotOk(Exception):
    """A check's word for the page."""


def _says(check: Callable[[], object]) -> str:
    """How a check went, by the kind of failure: what a driver says may name hosts and users."""
    try:
        check()
    except NotOk as word:
        return str(word)
    except Exception as problem:  # noqa: BLE001  (whatever a driver raises, the check failed)
        complaints.add(str(problem))
        unfit = isinstance(problem.__cause__, Unfit)  # whose words are ours
        return str(problem) if unfit else database_reason(problem) or "failed"
    return "ok"


def _database() -> None:
    _require_file()
    query = "SHOW transaction_read_only" if connection.vendor == "postgresql" else "SELECT 'off'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        if cursor.fetchone() != ("off",):
            raise NotOk("takes no writes")


def _require_file() -> None:
    """SQLite would make an empty file in the place of one that was deleted."""
    database: Any = connection
    if database.vendor != "sqlite" or database.is_in_memory_db():
        return
    if not Path(database.settings_dict["NAME"]).exists():
        connection.close()  # it has the deleted file open still
        raise NotOk("the SQLite file is gone")


def _tables() -> None:
    """They are there still."""
    _migrations()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")


@cache
def _migrations() -> None:
    """Asked until it is so (a raise is not cached): migrations stay applied, and reading them is
    dear."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotOk(NOT_APPLIED)
