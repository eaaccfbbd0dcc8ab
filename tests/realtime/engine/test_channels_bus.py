"""The bus over a real Redis: in order, to others only, and whatever happens to Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from contextlib import asynccontextmanager, contextmanager
from uuid import uuid4

import pytest
import redis
from channels_redis.pubsub import RedisPubSubChannelLayer

from config import settings
from realtime.core.rows import RoomKey
from realtime.engine import channels_bus
from realtime.engine.channels_bus import ChannelsBus
from tests.support.cable import Cable
from tests.support.engine import KEY, until
from tests.support.servers import free_port
from tests.support.services import leave_out, need_redis

pytestmark = pytest.mark.anyio

OTHER = RoomKey("leet99", "OTHER2")
DOWN_WITHIN_S = 3.0
BACK_WITHIN_S = 5.0


class OwnRedis:
    """A Redis server that only this test uses, and may do anything to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", f"{self.port}", "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while not self._answers():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process:
            self.resume()
            self._process.kill()
            self._process.wait()
            self._process = None

    def suspend(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            os.kill(self._process.pid, number)

    def _answers(self) -> bool:
        try:
            return client(self.url).ping()
        except redis.RedisError:
            return False


@contextmanager
def own_redis():
    need_redis()
    server = OwnRedis(free_port())
    try:
        server.start()
    except FileNotFoundError:
        leave_out("the program redis-server")
    try:
        yield server
    finally:
        server.stop()


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)


class Ear:
    """A bus, and what came through it."""

    def __init__(self, url: str, prefix: str) -> None:
        config = settings.redis(url)["CONFIG"]
        self.layer = RedisPubSubChannelLayer(**{**config, "prefix": prefix})
        self.bus = ChannelsBus(self.layer)
        self.heard: list[bytes] = []
        self.returns = 0

    async def start(self) -> None:
        await self.bus.start(self.heard.append, self._returned)

    def _returned(self) -> None:
        self.returns += 1


@pytest.fixture
def prefix():
    """Of names that nobody else uses."""
    return f"test-{uuid4().hex}"


@pytest.fixture
async def ears(prefix):
    """Two that follow the same room."""
    async with two_on(need_redis(), prefix) as both:
        yield both


@pytest.fixture
def server():
    with own_redis() as one:
        yield one


@pytest.fixture
async def own_ears(server, prefix):
    async with two_on(server.url, prefix) as both:
        yield both


@asynccontextmanager
async def two_on(url, prefix):
    both = Ear(url, prefix), Ear(url, prefix)
    for ear in both:
        await ear.start()
    await until(lambda: all(ear.bus.up for ear in both))
    for ear in both:
        await ear.bus.follow(KEY)
    try:
        yield both
    finally:
        for ear in both:
            await ear.bus.close()


def texts(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


async def carries(sender: Ear, receiver: Ear) -> None:
    """What is published now arrives."""
    before = len(receiver.heard)
    sender.bus.publish(KEY, b"now")
    await until(lambda: len(receiver.heard) > before)


async def test_news_arrive_in_order_and_not_at_their_sender(ears):
    first, second = ears
    for number in range(500):
        first.bus.publish(KEY, b"%d" % number)
        if number % 50 == 0:
            await asyncio.sleep(0)
    await until(lambda: len(second.heard) == 500)
    assert second.heard == texts(*range(500))
    assert first.heard == []


async def test_only_who_follows_a_room_hears_of_it(ears):
    first, second = ears
    first.bus.publish(OTHER, b"other")
    await second.bus.follow(OTHER)
    first.bus.publish(OTHER, b"followed")
    await until(lambda: second.heard)
    second.bus.unfollow(OTHER)
    await until(lambda: not second.bus._orders)
    first.bus.publish(OTHER, b"not followed")
    await carries(first, second)
    assert second.heard[-2:] == [b"followed", b"now"]


async def test_a_room_that_is_followed_again_at_once_is_heard_of(ears):
    first, second = ears
    for _ in range(20):
        second.bus.unfollow(KEY)
        await asyncio.sleep(0)  # Redis is being told
        await second.bus.follow(KEY)
        await carries(first, second)


async def test_names_of_rooms_are_anything(ears):
    first, second = ears
    strange = RoomKey("leet99", "ä b/č" * 50)
    await second.bus.follow(strange)
    first.bus.publish(strange, b"heard")
    await until(lambda: second.heard == [b"heard"])


async def test_connections_that_redis_closes_are_opened_again(own_ears, server):
    first, second = own_ears
    returns = first.returns, second.returns
    with client(server.url) as admin:
        for kind in ("pubsub", "normal"):
            admin.client_kill_filter(_type=kind, skipme=True)
    await until(lambda: not (first.bus.up and second.bus.up), DOWN_WITHIN_S)
    await until(lambda: first.bus.up and second.bus.up, BACK_WITHIN_S)
    await carries(first, second)
    await carries(second, first)
    assert (first.returns, second.returns) > returns


async def test_subscriptions_alone_that_are_lost_are_made_again(own_ears, server):
    first, second = own_ears
    with client(server.url) as admin:
        admin.client_kill_filter(_type="pubsub", skipme=True)
    await asyncio.sleep(0.5)
    await until(lambda: first.bus.up and second.bus.up, BACK_WITHIN_S)
    await carries(first, second)
    await carries(second, first)


async def test_a_server_that_is_gone_is_noticed_and_comes_back(own_ears, server):
    first, second = own_ears
    returns = second.returns
    server.stop()
    await until(lambda: not first.bus.up and not second.bus.up, DOWN_WITHIN_S)
    publishes_at_once(first)
    assert first.bus.check() == {"bus": "Redis does not answer"}
    began = time.monotonic()
    await second.bus.follow(OTHER)
    assert time.monotonic() - began < 0.1
    server.start()
    await until(lambda: first.bus.up and second.bus.up, BACK_WITHIN_S)
    assert first.bus.check() == {"bus": "ok"}
    assert second.returns == returns + 1
    await carries(first, second)
    first.bus.publish(OTHER, b"followed meanwhile")
    await until(lambda: second.heard[-1] == b"followed meanwhile")


async def test_a_server_that_hangs_is_noticed_and_comes_back(own_ears, server):
    first, second = own_ears
    server.suspend()
    publishes_at_once(first)
    await until(lambda: not first.bus.up and not second.bus.up, DOWN_WITHIN_S)
    began = time.monotonic()
    await first.bus.follow(OTHER)
    assert time.monotonic() - began < 0.1
    await asyncio.sleep(1.5)
    server.resume()
    await until(lambda: first.bus.up and second.bus.up, BACK_WITHIN_S)
    await carries(first, second)
    await carries(second, first)


async def test_connections_to_a_host_that_vanished_are_given_up(server, prefix):
    cable = Cable("127.0.0.1", server.port)
    async with (
        cable.open() as port,
        two_on(f"redis://127.0.0.1:{port}/0", prefix) as (first, second),
    ):
        cable.strand()
        await until(lambda: not first.bus.up and not second.bus.up, DOWN_WITHIN_S)
        await until(lambda: first.bus.up and second.bus.up, 3 * BACK_WITHIN_S)
        await carries(first, second)
        await carries(second, first)


def publishes_at_once(ear: Ear) -> None:
    began = time.monotonic()
    for number in range(1000):
        ear.bus.publish(KEY, b"%d" % number)
    assert time.monotonic() - began < 0.1


async def test_a_server_that_starts_later_is_found(prefix):
    with own_redis() as server:
        server.stop()
        ear = Ear(server.url, prefix)
        await ear.start()
        await ear.bus.follow(KEY)
        assert not ear.bus.up
        server.start()
        await until(lambda: ear.bus.up, BACK_WITHIN_S)
        other = Ear(server.url, prefix)
        await other.start()
        await until(lambda: other.bus.up, BACK_WITHIN_S)
        await carries(other, ear)
        await ear.bus.close()
        await other.bus.close()


async def test_a_room_that_is_followed_while_the_bus_comes_back_is_heard_of(ears):
    first, second = ears
    second.bus._lost("for the test")
    group_add = second.layer.group_add

    async def slowly(group, channel):
        if not late:
            late.append(asyncio.ensure_future(second.bus.follow(OTHER)))
        await group_add(group, channel)
        await asyncio.sleep(0.01)

    late: list[asyncio.Future[None]] = []
    second.layer.group_add = slowly
    await until(lambda: second.bus.up, BACK_WITHIN_S)
    await late[0]
    first.bus.publish(OTHER, b"heard")
    await until(lambda: second.heard == [b"heard"])


async def test_what_waits_to_be_sent_is_bounded(ears, monkeypatch):
    monkeypatch.setattr(channels_bus, "WAITING_MAX", 10)
    first, second = ears
    for number in range(30):
        first.bus.publish(KEY, b"%d" % number)
    await until(lambda: second.heard)
    await carries(first, second)
    assert second.heard == [*texts(*range(10)), b"now"]


async def test_the_end_leaves_nothing_in_redis(server, prefix):
    with client(server.url) as admin:
        before = len(admin.client_list())
        async with two_on(server.url, prefix):
            assert admin.pubsub_channels(f"{prefix}*")
            assert len(admin.client_list()) > before
        await until(lambda: admin.pubsub_channels() == [])
        await until(lambda: len(admin.client_list()) == before)
