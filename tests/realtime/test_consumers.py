"""The socket's consumer, spoken to as an ASGI server speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest
from django.conf import settings
from msgspec import Struct

from realtime import consumers
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.engine.memory_store import MemoryStore
from realtime.runtime import Runtime
from tests.support.engine import register, settled

KEY = RoomKey("fragile", "K7PQ2M")


class FragileParty(Party):
    """Breaks on a volatile message."""

    slug = "fragile"

    @message("wobble", volatile=True)
    def wobble(self, relay, nothing: Struct) -> None:
        raise LookupError(relay.player_id)


class Server:
    """An ASGI server with one socket."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.sent: list[dict[str, Any]] = []
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.accepts = True
        route = {"kwargs": {"party": KEY.party, "room_id": KEY.room_id}}
        scope = {"type": "websocket", "url_route": route}
        self.task = asyncio.ensure_future(
            consumers.RoomConsumer.as_asgi()(scope, self._events.get, self.send)
        )
        self.happens("websocket.connect")

    async def send(self, event: dict[str, Any]) -> None:
        if not self.accepts:
            raise ConnectionError
        self.sent.append(event)

    def happens(self, kind: str, **event: Any) -> None:
        self._events.put_nowait({"type": kind, **event})

    def says(self, kind: str, **payload: Any) -> None:
        frame = msgspec.json.encode({"type": kind, "payload": payload})
        self.happens("websocket.receive", text=frame.decode())

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(event["text"]) for event in self.sent if "text" in event]

    @property
    def codes(self) -> list[int]:
        return [event["code"] for event in self.sent if "code" in event]


@pytest.fixture
def story(monkeypatch):
    """Runs a coroutine function with a runtime of its own, where alice hosts a fragile room."""

    def tell(coroutine):
        async def main():
            runtime = Runtime(settings.GREENROOM, MemoryStore())
            runtime.rooms.parties["fragile"] = FragileParty()
            await runtime.rooms.ask(KEY, register("alice", host=True))

            async def current():
                return runtime

            monkeypatch.setattr(consumers, "runtime", current)
            await coroutine(runtime)

        asyncio.run(main())

    return tell


def test_a_bug_in_a_volatile_handler_costs_the_socket_nothing(story, caplog):
    async def fragile(runtime):
        server = Server(runtime)
        server.says("JOIN_ROOM", playerToken="t_alice")
        server.says("wobble")
        await settled()
        assert server.frames[-1]["payload"]["code"] == "INTERNAL_ERROR"
        assert not server.task.done()
        assert runtime.hub.present(KEY) == {"p_alice"}
        server.happens("websocket.disconnect")
        await server.task
        assert runtime.hub.present(KEY) == frozenset()

    story(fragile)
    assert "p_alice" not in caplog.text


def test_what_is_said_after_a_close_is_not_heard(story):
    async def refused(runtime):
        server = Server(runtime)
        server.says("JOIN_ROOM", playerToken="wrong")
        server.says("JOIN_ROOM", playerToken="t_alice")
        await settled()
        assert server.codes == [4001]
        assert runtime.hub.count() == 0
        assert len(server.frames) == 1

    story(refused)


def test_a_cancelled_or_refused_socket_leaves_nothing_behind(story):
    async def ended(runtime):
        cancelled, refused = Server(runtime), Server(runtime)
        refused.accepts = False
        cancelled.says("JOIN_ROOM", playerToken="t_alice")
        await settled()
        cancelled.task.cancel()
        for server in (cancelled, refused):
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await server.task
        assert runtime.hub.count() == 0
        assert runtime.strangers == set()

    story(ended)


def test_a_stranger_is_one_until_it_has_entered(story):
    async def enters(runtime):
        server = Server(runtime)
        await settled()
        assert len(runtime.strangers) == 1
        server.says("JOIN_ROOM", playerToken="t_alice")
        await settled()
        assert runtime.strangers == set()
        server.happens("websocket.disconnect")
        await server.task

    story(enters)
