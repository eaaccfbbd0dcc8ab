"""What /readyz says of sockets that would find no place."""

from __future__ import annotations

import pytest

from realtime.newcomers import newcomers
from tests.support.asgi_sockets import Server
from tests.support.engine import settled
from tests.support.open_files import files_limited


def test_there_is_nothing_to_say_while_there_are_places(story):
    async def empty(runtime):
        assert newcomers(runtime) == {}

    story(empty)


@pytest.mark.parametrize("places", [1, 25])
def test_all_places_before_join_room_are_taken(story, places):
    async def crowd(runtime):
        crowd = [Server(runtime, "203.0.113.7") for _ in range(places)]
        await settled()
        assert [*newcomers(runtime)] == ["sockets"]
        crowd[0].happens("websocket.disconnect")
        await crowd[0].task
        assert newcomers(runtime) == {}
        for one in crowd[1:]:
            one.happens("websocket.disconnect")
            await one.task

    story(crowd, unauthenticated_sockets=places)


def test_no_file_may_be_opened(story):
    async def exhausted(runtime):
        with files_limited(0):
            found = newcomers(runtime)
        assert found == {"sockets": "this process may open no more files"}
        assert newcomers(runtime) == {}

    story(exhausted)
