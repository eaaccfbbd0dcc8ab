"""What one process tells others over a Channels layer."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from channels.layers import InMemoryChannelLayer

from realtime.engine.channels_bus import ChannelsBus
from tests.support.engine import until

pytestmark = pytest.mark.anyio


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
            bus, heard = ChannelsBus(layer), []
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


async def test_nothing_is_kept_for_a_bus_that_is_down():
    async with buses(InMemoryChannelLayer(), "a", "b") as ((a, _), (_, to_b)):
        a.up = False
        a.publish(["b"], b"1")
        a.up = True
        a.publish(["b"], b"2")
        await until(lambda: to_b)
    assert to_b == [b"2"]
