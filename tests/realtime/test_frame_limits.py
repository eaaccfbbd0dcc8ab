"""How many frames a socket may send, and what becomes of those that are too many or bad."""

from __future__ import annotations

import pytest

from config import env
from realtime.consumers import frame_limits
from tests.support.asgi_sockets import KEY, Server, entered


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
