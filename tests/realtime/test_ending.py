"""A process that ends: what was taken on is finished, and what comes then is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contracts import exchange
from realtime import routing, runtime
from realtime.http import Request
from tests.support.asgi_sockets import entered, knock
from tests.support.engine import settled
from tests.support.loops import PATIENCE_S


class Gate:
    """Storage that keeps commits waiting until it is opened."""

    def __init__(self, serving) -> None:
        self.open = asyncio.Event()
        self._commit = serving.store.commit
        serving.store.commit = self.commit

    async def commit(self, commit):
        await self.open.wait()
        return await self._commit(commit)


async def readiness():
    asked = exchange.Request("GET", "/readyz", b"", {}, exchange.Ends(None, None, "http"))
    answer: Any = await routing.readyz(Request(asked, {}))
    return answer.status, answer.body.checks


@pytest.fixture
def ending(story, clock, monkeypatch):
    """Runs a coroutine function with a process that began to end while alice knocked: its runtime,
    her socket, the gate of its storage, and the end."""

    def tell(coroutine, **changed):
        async def begun(serving):
            async def current():
                return serving

            monkeypatch.setattr(routing, "runtime", current)
            alice, gate = await entered(serving, clock), Gate(serving)
            alice.says("knock")
            await alice.idle()
            end = asyncio.create_task(serving.close())
            await settled()
            await coroutine(serving, alice, gate, end)
            await end
            alice.happens("websocket.disconnect")
            await alice.task

        story(begun, **changed)

    return tell


def test_it_is_not_ready_at_once_and_asks_nobody_why(ending, monkeypatch):
    async def asked(serving, alice, gate, end):
        monkeypatch.setattr(serving.store, "check", None)
        status, checks = await readiness()
        assert (status, [*checks]) == (503, ["draining"])
        gate.open.set()
        await end
        assert (await readiness())[0] == 503

    ending(asked)


def test_new_sockets_are_refused_before_the_upgrade(ending):
    async def knocks(serving, alice, gate, end):
        assert (await knock())["status"] == 503
        gate.open.set()

    ending(knocks)


def test_what_was_asked_before_is_done_and_what_comes_then_is_refused(ending):
    async def asks(serving, alice, gate, end):
        alice.says("knock")
        await alice.idle()
        assert alice.refusals == {"REALTIME_UNAVAILABLE": 1}
        assert not alice.codes
        gate.open.set()
        await end
        assert alice.kinds["knocked"] == 1
        assert [*alice.sent[-1].values()] == ["websocket.close", 1012]

    ending(asks)


def test_storage_that_hangs_is_not_waited_for(ending, monkeypatch):
    async def hangs(serving, alice, gate, end):
        async def for_ever():
            await asyncio.Event().wait()

        serving.store.close = for_ever
        async with asyncio.timeout(PATIENCE_S):
            await end
        assert alice.refusals == {"REALTIME_UNAVAILABLE": 1}, "her knock was not acknowledged"
        assert alice.codes == [1012]

    monkeypatch.setattr(runtime, "STORAGE_S", 0.1)
    ending(hangs, drain_timeout_s=0.1)
