"""Places for stores to keep rooms in, which a test has to itself; and a service for sockets."""

import asyncio
import dataclasses

import pytest
from django.conf import settings

from realtime import asgi, consumers
from realtime.engine.memory_store import MemoryStore
from realtime.runtime import Runtime
from tests.support.asgi_sockets import KEY, Clock, FragileParty
from tests.support.engine import register
from tests.support.stores import DatabasePlace, PostgresPlace


@pytest.fixture
def sqlite(sqlite_tables, tmp_path):
    with sqlite_tables.copy(tmp_path) as copied:
        yield DatabasePlace(copied)


@pytest.fixture
def postgresql(postgresql_tables, tmp_path):
    with postgresql_tables.copy(tmp_path) as copied:
        yield PostgresPlace(copied)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(consumers, "monotonic", clock)
    return clock


@pytest.fixture
def story(monkeypatch):
    """Runs a coroutine function with a runtime of its own, where alice hosts a fragile room."""

    def tell(coroutine, **changed):
        async def main():
            environment = dataclasses.replace(settings.GREENROOM, **changed)
            runtime = Runtime(environment, MemoryStore())
            runtime.rooms.parties = {**runtime.rooms.parties, "fragile": FragileParty()}
            await runtime.rooms.ask(KEY, register("alice", host=True))

            async def current():
                return runtime

            monkeypatch.setattr(consumers, "runtime", current)
            monkeypatch.setattr(asgi, "runtime", current)
            await coroutine(runtime)

        asyncio.run(main())

    return tell
