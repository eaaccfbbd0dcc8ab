"""The socket's consumer, spoken to as an ASGI server speaks to it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from realtime.consumers import said_goodbye
from tests.support.asgi_sockets import KEY, Server
from tests.support.engine import settled


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
            runtime.hub.on_absence = lambda key, player_id, by_client: heard.append(by_client)
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
