"""Sockets that have not joined yet: how many there may be, of all and of one address."""

from __future__ import annotations

import asyncio

import pytest

from realtime import asgi
from tests.support.asgi_sockets import Server, knock
from tests.support.engine import settled


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
