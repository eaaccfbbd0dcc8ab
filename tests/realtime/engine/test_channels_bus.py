"""The bus over a real Redis: in order, to others only, and whatever happens to Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from uuid import uuid4

import pytest
import redis
from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from config import settings
from realtime.engine import channels_bus
from realtime.engine.channels_bus import ChannelsBus
from tests.support.cable import Cable
from tests.support.engine import until
from tests.support.servers import free_port
from tests.support.servers import until as wait_until
from tests.support.services import leave_out, need_redis

pytestmark = pytest.mark.anyio

AGAIN_S = 1.0


class OwnRedis:
    """A Redis server that only this test uses, and may do anything to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", f"{self.port}", "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        wait_until(self._answers)

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
    return redis.Redis.from_url(url, socket_timeout=60, socket_connect_timeout=60)


class Ear:
    """A bus, and what came through it."""

    def __init__(self, url: str, prefix: str) -> None:
        config = settings.redis(url)["CONFIG"]
        self.layer = RedisPubSubChannelLayer(**{**config, "prefix": prefix})
        self.bus = ChannelsBus(self.layer)
        self.process = uuid4().hex
        self.heard: list[bytes] = []
        self.returns = 0

    async def start(self) -> None:
        await self.bus.start(self.process, self.heard.append, self._returned)

    def _returned(self) -> None:
        self.returns += 1


@pytest.fixture
def prefix():
    """Of names that nobody else uses."""
    return f"test-{uuid4().hex}"


@pytest.fixture
async def ears(prefix):
    """Two processes'."""
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
    try:
        yield both
    finally:
        for ear in both:
            await ear.bus.close()


def texts(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


async def carries(sender: Ear, receiver: Ear) -> None:
    """What is published now arrives; or what is published soon, when they are about to notice
    that they were cut off."""
    before = len(receiver.heard)
    while len(receiver.heard) == before:
        sender.bus.publish([receiver.process], b"now")
        with suppress(TimeoutError):
            await until(lambda: len(receiver.heard) > before, limit_s=AGAIN_S)


async def test_news_arrive_in_order_and_not_at_their_sender(ears):
    first, second = ears
    for number in range(500):
        first.bus.publish([second.process], b"%d" % number)
        if number % 50 == 0:
            await asyncio.sleep(0)
    await until(lambda: len(second.heard) == 500)
    assert second.heard == texts(*range(500))
    assert first.heard == []


async def test_connections_that_redis_closes_are_opened_again(own_ears, server):
    first, second = own_ears
    returns = first.returns, second.returns
    with client(server.url) as admin:
        for kind in ("pubsub", "normal"):
            admin.client_kill_filter(_type=kind, skipme=True)
    await until(lambda: not (first.bus.up and second.bus.up))
    await until(lambda: first.bus.up and second.bus.up)
    await carries(first, second)
    await carries(second, first)
    assert (first.returns, second.returns) > returns


async def test_subscriptions_alone_that_are_lost_are_made_again(own_ears, server):
    first, second = own_ears
    with client(server.url) as admin:
        admin.client_kill_filter(_type="pubsub", skipme=True)
    await asyncio.sleep(0.5)
    await until(lambda: first.bus.up and second.bus.up)
    await carries(first, second)
    await carries(second, first)


async def test_a_server_that_is_gone_is_noticed_and_comes_back(own_ears, server):
    first, second = own_ears
    returns = second.returns
    server.stop()
    await until(lambda: not first.bus.up and not second.bus.up)
    publishes_much(first)
    await until(lambda: first.bus.check() == {"bus": "Redis refuses the connection"})
    server.start()
    await until(lambda: first.bus.up and second.bus.up)
    assert first.bus.check() == {"bus": "ok"}
    assert second.returns == returns + 1
    await carries(first, second)


async def test_a_server_that_hangs_is_noticed_and_comes_back(own_ears, server):
    first, second = own_ears
    server.suspend()
    publishes_much(first)
    await until(lambda: not first.bus.up and not second.bus.up)
    await asyncio.sleep(1.5)
    server.resume()
    await until(lambda: first.bus.up and second.bus.up)
    await carries(first, second)
    await carries(second, first)


async def test_connections_to_a_host_that_vanished_are_given_up(server, prefix):
    cable = Cable("127.0.0.1", server.port)
    async with (
        cable.open() as port,
        two_on(f"redis://127.0.0.1:{port}/0", prefix) as (first, second),
    ):
        cable.strand()
        await until(lambda: not first.bus.up and not second.bus.up)
        await until(lambda: first.bus.up and second.bus.up)
        await carries(first, second)
        await carries(second, first)


def publishes_much(ear: Ear) -> None:
    """While the server does not answer: one that waited for it would wait for ever."""
    for number in range(1000):
        ear.bus.publish(["somebody"], b"%d" % number)


async def test_a_server_that_starts_later_is_found(prefix):
    with own_redis() as server:
        server.stop()
        ear = Ear(server.url, prefix)
        await ear.start()
        assert not ear.bus.up
        server.start()
        await until(lambda: ear.bus.up)
        other = Ear(server.url, prefix)
        await other.start()
        await until(lambda: other.bus.up)
        await carries(other, ear)
        await ear.bus.close()
        await other.bus.close()


async def test_what_waits_to_be_sent_is_bounded(ears, monkeypatch):
    monkeypatch.setattr(channels_bus, "WAITING_MAX", 10)
    first, second = ears
    for number in range(30):
        first.bus.publish([second.process], b"%d" % number)
    await until(lambda: len(second.heard) == 10)
    await carries(first, second)
    assert second.heard[:11] == [*texts(*range(10)), b"now"]


async def test_the_end_leaves_nothing_in_redis(server, prefix):
    with client(server.url) as admin:
        before = len(admin.client_list())
        async with two_on(server.url, prefix):
            assert admin.pubsub_channels(f"{prefix}*")
            assert len(admin.client_list()) > before
        await until(lambda: admin.pubsub_channels() == [])
        await until(lambda: len(admin.client_list()) == before)


class CountingLayer(InMemoryChannelLayer):
    """Counts messages that were sent to groups."""

    sent = 0

    async def group_send(self, group, message):
        self.sent += 1
        await super().group_send(group, message)


@asynccontextmanager
async def buses(layer, *processes):
    """Each process's bus, and what it heard."""
    async with AsyncExitStack() as stack:
        started = []
        for process in processes:
            heard: list[bytes] = []
            bus = ChannelsBus(layer)
            await bus.start(process, heard.append, lambda: None)
            stack.push_async_callback(bus.close)
            started.append((bus, heard))
        await until(lambda: all(bus.up for bus, _ in started))
        yield started


async def test_news_come_to_those_they_are_for_in_order():
    async with buses(InMemoryChannelLayer(), "a", "b", "c") as ((a, to_a), (_, to_b), (_, to_c)):
        a.publish(["b"], b"1")
        a.publish(["c", "b"], b"2")
        a.publish(["b"], b"3")
        await until(lambda: len(to_b) == 3 and to_c)
    assert (to_a, to_b, to_c) == ([], [b"1", b"2", b"3"], [b"2"])


async def test_what_waits_for_a_process_goes_together():
    layer = CountingLayer()
    async with buses(layer, "a", "b") as ((a, _), (_, to_b)):
        for number in range(100):
            a.publish(["b"], b"%d" % number)
        await until(lambda: len(to_b) == 100)
    assert layer.sent == 1
