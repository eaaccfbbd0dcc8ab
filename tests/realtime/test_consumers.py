"""The socket's consumer, spoken to as an ASGI server speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import Counter
from typing import Any

import msgspec
import pytest
from django.conf import settings

from config import env
from realtime import asgi, consumers
from realtime.consumers import frame_limits, said_goodbye
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.engine.memory_store import MemoryStore
from realtime.runtime import Runtime
from tests.support.engine import register, settled, until

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
            runtime.rooms.parties["fragile"] = FragileParty()
            await runtime.rooms.ask(KEY, register("alice", host=True))

            async def current():
                return runtime

            monkeypatch.setattr(consumers, "runtime", current)
            monkeypatch.setattr(asgi, "runtime", current)
            await coroutine(runtime)

        asyncio.run(main())

    return tell


async def entered(runtime: Runtime, clock: Clock) -> Server:
    """A socket of alice's, all of whose limits are as if it had sent nothing yet."""
    server = Server(runtime)
    server.says("JOIN_ROOM", playerToken="t_alice")
    await server.idle()
    assert server.kinds["ROOM_SNAPSHOT"] == 1
    clock.now += 60
    return server


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


# -- how a socket ends ---------------------------------------------------------------------------

# As recorded (two as their source says): uvicorn 0.54 (websockets-sansio) adds a reason to what a
# close frame said, and to what it found wrong; Daphne 4.2 says None for a close without a code.
GOODBYES = {
    "uvicorn, 1000": {"code": 1000, "reason": ""},
    "uvicorn, 1000 with a reason": {"code": 1000, "reason": "bye"},
    "uvicorn, a tab is closed": {"code": 1001, "reason": ""},
    "uvicorn, no code": {"code": 1005, "reason": ""},
    "uvicorn, a page's own code": {"code": 4000, "reason": ""},
    "daphne, 1000": {"code": 1000},
    "daphne, a tab is closed": {"code": 1001},
    "daphne, no code": {"code": None},
    "daphne, a page's own code": {"code": 3000},
}
BREAKS = {
    "uvicorn, reset or FIN or keepalive": {"code": 1005},
    "uvicorn, before it was open (source)": {"code": 1006},
    "uvicorn, it stops (source)": {"code": 1012},
    "uvicorn, unmasked frame": {"code": 1002, "reason": "incorrect masking"},
    "uvicorn, bad UTF-8": {"code": 1007, "reason": ""},
    "uvicorn, frame too large": {"code": 1009, "reason": "frame with 70000 bytes exceeds limit"},
    "daphne, reset or FIN": {"code": 1006},
    "a server that says nothing": {},
}


@pytest.mark.parametrize("event", GOODBYES.values(), ids=GOODBYES)
def test_a_close_frame_of_a_page_or_browser_is_a_goodbye(event):
    assert said_goodbye({"type": "websocket.disconnect", **event})


@pytest.mark.parametrize("event", BREAKS.values(), ids=BREAKS)
def test_a_connection_that_broke_is_none(event):
    assert not said_goodbye({"type": "websocket.disconnect", **event})


@pytest.fixture
def absences(story):
    """What the room is told of alice's going, each time: whether she has said goodbye."""

    def told(*events, server_type=Server):
        heard: list[bool] = []

        async def ending(runtime):
            server = server_type(runtime)
            server.says("JOIN_ROOM", playerToken="t_alice")
            await server.idle()
            runtime.hub.on_absence = lambda key, player_id, by_peer: heard.append(by_peer)
            for kind, event in events:
                server.happens(kind, **event)
            await settled()
            server.task.cancel()
            await asyncio.wait([server.task])

        story(ending)
        return heard

    return told


def test_the_room_is_told_which_it_was(absences):
    assert absences(("websocket.disconnect", {"code": 1001, "reason": ""})) == [True]
    assert absences(("websocket.disconnect", {"code": 1005})) == [False]


def test_a_task_that_is_cancelled_says_no_goodbye(absences):
    assert absences() == [False]


def test_a_socket_that_we_close_says_no_goodbye_whatever_its_server_reports(absences):
    class Uvicorn(Server):
        """It reports a close of ours as soon as it has sent it, just like one of the peer's."""

        async def send(self, event):
            await super().send(event)
            if event["type"] == "websocket.close":
                self.happens("websocket.disconnect", code=1000, reason="")

    assert absences(("websocket.receive", {"bytes": b""}), server_type=Uvicorn) == [False]


# -- strangers -----------------------------------------------------------------------------------


async def gone(crowd: list[Server]) -> None:
    for server in crowd:
        server.happens("websocket.disconnect")
    await asyncio.gather(*(server.task for server in crowd))


def test_an_address_has_a_tenth_of_all_places(story):
    async def crowd(runtime):
        crowd = [Server(runtime, "203.0.113.7") for _ in range(29)]
        await settled()
        assert not asgi.crowded(runtime, "203.0.113.7")
        crowd.append(Server(runtime, "203.0.113.7"))
        await settled()
        assert asgi.crowded(runtime, "203.0.113.7")
        assert not asgi.crowded(runtime, "203.0.113.8")
        crowd[0].says("JOIN_ROOM", playerToken="t_alice")
        await crowd[0].idle()
        assert not asgi.crowded(runtime, "203.0.113.7")
        await gone(crowd)

    story(crowd, unauthenticated_sockets=300)


@pytest.mark.parametrize(("places", "share"), [(1000, 100), (300, 30), (100, 20), (5, 5)])
def test_it_is_twenty_at_least_and_never_more_than_there_are(story, places, share):
    async def crowd(runtime):
        crowd = []
        while not asgi.crowded(runtime, "203.0.113.7"):
            crowd.append(Server(runtime, "203.0.113.7"))
            await asyncio.sleep(0)
        assert len(crowd) == share
        await gone(crowd)

    story(crowd, unauthenticated_sockets=places)


def test_without_limits_an_address_may_have_all_places(story):
    async def crowd(runtime):
        crowd = [Server(runtime, "203.0.113.7") for _ in range(59)]
        await settled()
        assert not asgi.crowded(runtime, "203.0.113.7")
        crowd.append(Server(runtime, "203.0.113.7"))
        await settled()
        assert asgi.crowded(runtime, "203.0.113.7")
        await gone(crowd)

    story(crowd, unauthenticated_sockets=60, rate_limits=False)


async def knock(forwarded: bytes) -> dict[str, Any]:
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


def test_behind_a_proxy_the_address_is_the_one_that_it_names(story):
    async def crowd(runtime):
        crowd = [Server(runtime, "203.0.113.7") for _ in range(20)]
        await settled()
        assert (await knock(b"203.0.113.8"))["type"] == "websocket.accept"
        for forwarded in (b"203.0.113.7", b"203.0.113.8, 203.0.113.7"):
            assert (await knock(forwarded))["status"] == 503
        await gone(crowd)

    story(crowd, unauthenticated_sockets=100, trusted_proxies=1)


def test_a_header_that_comes_twice_goes_on_where_it_was():
    forwarded = [(b"x-forwarded-for", hops) for hops in (b"a, b", b"c")]
    scope = {"headers": [forwarded[0], (b"host", b"h"), forwarded[1]]}
    assert asgi.headers_of(scope) == {b"x-forwarded-for": "a, b,c", b"host": "h"}


# -- too many frames -----------------------------------------------------------------------------


def test_the_limits_are_settings():
    assert frame_limits(env.load({})) == (20, 40, 500)
    numbers = {"SOCKET_FRAMES_PER_S": "1", "SOCKET_FRAMES_BURST": "3"}
    assert frame_limits(env.load(numbers)) == (1, 3, 500)
    assert frame_limits(env.load({"RATE_LIMITS": "off"})) is None


def test_more_frames_than_allowed_are_refused_with_the_wait_and_not_obeyed(story, clock):
    async def hurried(runtime):
        server = await entered(runtime, clock)
        for _ in range(40):
            server.says("knock")
        server.hears('{"type":"knock","requestId":"r41"}')
        await server.idle()
        assert server.kinds["knocked"] == 40
        refused = [frame for frame in server.frames if frame["type"] == "ERROR"]
        assert [(one["requestId"], one["payload"]["code"]) for one in refused] == [
            ("r41", "RATE_LIMITED")
        ]
        assert refused[0]["payload"]["retryAfterMs"] == 50
        clock.now += 0.051
        server.says("knock")
        await server.idle()
        assert server.kinds["knocked"] == 41
        assert server.codes == []

    story(hurried)


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        '{"type":"NONESUCH"}',
        '{"type":"knock","payload":5}',
        '{"type":"JOIN_ROOM","payload":{"playerToken":"t_alice"}}',
        '{"type":"JOIN_ROOM","payload":{"playerToken":"wrong"}}',
    ],
)
def test_joins_and_garbage_count_too(story, clock, frame):
    async def tiresome(runtime):
        server = await entered(runtime, clock)
        for _ in range(36):
            server.says("knock")
        for _ in range(4):
            server.hears('{"type":"JOIN_ROOM","payload":{"playerToken":"t_alice"}}')
        await server.idle()
        assert server.kinds["ERROR"] == 0
        server.hears(frame)
        await server.idle()
        assert server.frames[-1]["payload"]["code"] == "RATE_LIMITED"
        assert server.codes == []

    story(tiresome)


def test_garbage_uses_up_what_a_socket_may_send(story, clock):
    async def tiresome(runtime):
        server = await entered(runtime, clock)
        for _ in range(9):
            server.hears("{")
        for _ in range(32):
            server.says("knock")
        await server.idle()
        assert server.kinds["knocked"] == 31
        assert (server.refusals["BAD_REQUEST"], server.refusals["RATE_LIMITED"]) == (9, 1)

    story(tiresome)


def test_sixty_violations_close(story, clock):
    async def stubborn(runtime):
        server = await entered(runtime, clock)
        for _ in range(40 + 59):
            server.says("knock")
        await server.idle()
        assert server.codes == []
        for _ in range(10):
            server.says("knock")
        await server.idle()
        assert server.codes == [1008]
        assert server.refusals["RATE_LIMITED"] == 60
        assert runtime.hub.count() == 0

    story(stubborn)


def test_a_stranger_is_limited_alike(story, clock):
    async def knocking(runtime):
        server = Server(runtime)
        for _ in range(101):
            server.says("wave")
        await server.idle()
        assert server.refusals == {"UNAUTHORIZED": 40, "RATE_LIMITED": 60}
        assert server.codes == [1008]

    story(knocking)


def test_volatile_frames_over_the_partys_rate_are_dropped_without_a_word(story, clock):
    async def waving(runtime):
        server = await entered(runtime, clock)
        for _ in range(400):
            server.says("wave")
        await server.idle()
        assert (server.kinds["waved"], server.kinds["ERROR"]) == (5, 0)
        server.says("knock")
        clock.now += 1
        server.says("wave")
        await server.idle()
        assert (server.kinds["knocked"], server.kinds["waved"]) == (1, 6)
        assert server.codes == []

    story(waving)


@pytest.mark.parametrize(
    "event",
    [{"text": '{"type":"wave"}'}, {"text": '{"type":"knock"}'}, {"text": "{"}],
    ids=["volatile", "ordinary", "garbage"],
)
def test_a_flood_of_any_kind_closes_and_what_follows_is_not_heard(story, clock, event):
    async def flood(runtime):
        server = await entered(runtime, clock)
        for _ in range(2000):
            server.happens("websocket.receive", **event)
        await server.idle()
        assert server.codes == [1008]
        assert server.kinds.total() < 150
        assert runtime.hub.count() == 0

    story(flood)


def test_without_limits_only_bad_frames_close(story, clock):
    async def busy(runtime):
        server = await entered(runtime, clock)
        for _ in range(1000):
            server.says("wave")
        for _ in range(100):
            server.says("knock")
        await server.idle()
        assert (server.kinds["waved"], server.kinds["knocked"]) == (1000, 100)
        for _ in range(10):
            server.hears("{")
        await server.idle()
        assert server.codes == [1008]
        assert server.refusals["BAD_REQUEST"] == 10

    story(busy, rate_limits=False)


def test_bad_payloads_count_as_bad_frames(story, clock):
    async def told(runtime):
        alice = await entered(runtime, clock)
        for _ in range(10):
            alice.says("speak", text=5)
            clock.now += 1
            await alice.idle()
        assert alice.refusals == {"BAD_REQUEST": 10}
        assert alice.codes == [1008]

    story(told)


def test_what_a_model_does_not_know_is_not_kept(story, clock):
    async def told(runtime):
        alice = await entered(runtime, clock)
        alice.says("speak", text="hello", playerToken="pt_secret", junk="x" * 1000)
        await alice.idle()
        (entry,) = [row.entry for row in runtime.store.journals[KEY] if row.command == "receive"]
        assert b"hello" in entry
        assert b"pt_secret" not in entry
        assert b"junk" not in entry

    story(told)


def test_a_bad_frame_is_forgiven_after_a_minute(story, clock):
    async def clumsy(runtime):
        server = await entered(runtime, clock)
        for _ in range(30):
            server.hears("{")
            await server.idle()
            clock.now += 7
        assert server.codes == []
        assert server.refusals["BAD_REQUEST"] == 30

    story(clumsy)
