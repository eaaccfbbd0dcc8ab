"""Sockets as an ASGI server hands them to the consumer, in a room that breaks easily."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec

from realtime import asgi, consumers
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.runtime import Runtime
from tests.support.engine import settled, until

KEY = RoomKey("fragile", "K7PQ2M")


class Words(msgspec.Struct, frozen=True):
    text: str


class FragileParty(Party):
    """Breaks on a volatile message."""

    slug = "fragile"
    volatile_per_s = 5.0

    @message("wobble", volatile=True)
    def wobble(self, relay) -> None:
        raise LookupError(relay.player_id)

    @message("wave", volatile=True)
    def wave(self, relay) -> None:
        relay.broadcast("waved", {})

    @message("knock")
    def knock(self, room, player) -> None:
        room.broadcast("knocked", {})

    @message("speak", Words)
    def speak(self, room, player, words) -> None:
        room.broadcast("spoken", words)


class Clock:
    """What sockets take for the time. It stands still until a test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Server:
    """An ASGI server with one socket."""

    def __init__(self, runtime: Runtime, address: str = "") -> None:
        self.runtime = runtime
        self.sent: list[dict[str, Any]] = []
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.accepts = True
        route = {"kwargs": {"party": KEY.party, "room_id": KEY.room_id}}
        scope = {"type": "websocket", "url_route": route, "address": address}
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
        self.hears(msgspec.json.encode({"type": kind, "payload": payload}).decode())

    def hears(self, text: str) -> None:
        self.happens("websocket.receive", text=text)

    async def idle(self) -> None:
        """All that happened so far has been dealt with."""
        await until(self._events.empty)
        await settled()

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(event["text"]) for event in self.sent if "text" in event]

    @property
    def kinds(self) -> Counter[str]:
        """How many frames of each type were sent."""
        return Counter(frame["type"] for frame in self.frames)

    @property
    def refusals(self) -> Counter[str]:
        """How many errors of each code were sent."""
        errors = (frame for frame in self.frames if frame["type"] == "ERROR")
        return Counter(error["payload"]["code"] for error in errors)

    @property
    def codes(self) -> list[int]:
        return [event["code"] for event in self.sent if "code" in event]


async def entered(runtime: Runtime, clock: Clock) -> Server:
    """A socket of alice's, all of whose limits are as if it had sent nothing yet."""
    server = Server(runtime)
    server.says("JOIN_ROOM", playerToken="t_alice")
    await server.idle()
    assert server.kinds["ROOM_SNAPSHOT"] == 1
    clock.now += 60
    return server


async def knock(forwarded: bytes = b"") -> dict[str, Any]:
    """What a handshake that came through a proxy is answered first."""
    answers: list[dict[str, Any]] = []
    events = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])

    async def receive():
        return next(events)

    async def send(event):
        answers.append(event)

    scope = {
        "type": "websocket",
        "path": f"/parties/{KEY.party}/{KEY.room_id}",
        "headers": [(b"x-forwarded-for", forwarded)],
        "client": ["10.0.0.1", 4711],
        "extensions": {"websocket.http.response": {}},
    }
    await asgi.sockets(scope, receive, send)
    return answers[0]
