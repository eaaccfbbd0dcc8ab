"""The socket's consumer, spoken to as an ASGI server speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import weakref

import pytest

from realtime import asgi
from realtime.consumers import said_goodbye
from realtime.drain import send_away
from tests.support.asgi_sockets import KEY, Server
from tests.support.engine import settled
from tests.support.visits import (
    BINARY,
    CLOSE,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    Visit,
    close,
    frame,
    message,
    text,
    texts,
)


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

# Daphne's as recorded of 4.2, which says None for a close without a code. Ours are held to what our
# protocol says by the tests of real frames below.
GOODBYES = {
    "ours, 1000": {"code": 1000, "reason": ""},
    "ours, 1000 with a reason": {"code": 1000, "reason": "bye"},
    "ours, a tab is closed": {"code": 1001, "reason": ""},
    "ours, no code": {"code": 1005, "reason": ""},
    "ours, a page's own code": {"code": 4000, "reason": ""},
    "daphne, 1000": {"code": 1000},
    "daphne, a tab is closed": {"code": 1001},
    "daphne, no code": {"code": None},
    "daphne, a page's own code": {"code": 3000},
}
BREAKS = {
    "ours, reset or FIN or keepalive": {"code": 1006},
    "ours, it stops": {"code": 1012},
    "ours, unmasked frame": {"code": 1002, "reason": ""},
    "ours, bad UTF-8": {"code": 1007, "reason": ""},
    "ours, too many pings": {"code": 1008, "reason": ""},
    "ours, frame too large": {"code": 1009, "reason": ""},
    "daphne, reset or FIN": {"code": 1006},
    "another's (uvicorn's own), reset or FIN": {"code": 1005},
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
    assert absences(("websocket.disconnect", {"code": 1006})) == [False]


def test_a_task_that_is_cancelled_says_no_goodbye(absences):
    assert absences() == [False]


def test_a_socket_that_we_close_says_no_goodbye_whatever_its_server_reports(absences):
    class Prompt(Server):
        """It reports a close of ours as soon as it has sent it, just like one of the peer's."""

        async def send(self, event):
            await super().send(event)
            if event["type"] == "websocket.close":
                self.happens("websocket.disconnect", code=1000, reason="")

    assert absences(("websocket.receive", {"bytes": b""}), server_type=Prompt) == [False]


# -- on our own protocol -------------------------------------------------------------------------

HEAD = HANDSHAKE.replace(b"/chat/", b"/fragile/")
JOIN = message("JOIN_ROOM", playerToken="t_alice")
FLOOD = text("") * 5000


async def knocks(*, joining: bool = False) -> Visit:
    """A client whose handshake is answered; it may be a member by now."""
    visit = await Visit(asgi.application).knocks(HEAD)
    assert visit.client.status == 101
    if joining:
        visit.client.send(JOIN)
        await settled()
        assert kinds(visit)[0] == "ROOM_SNAPSHOT"
    return visit


def kinds(visit) -> list[str]:
    return [json.loads(said)["type"] for said in texts(visit.client)]


def codes(visit) -> list[int]:
    closes = (payload for opcode, payload in visit.client.frames if opcode == CLOSE)
    return [int.from_bytes(payload[:2], "big") for payload in closes]


def empty(runtime) -> bool:
    return not (runtime.sockets or runtime.strangers or runtime.hub.count())


def test_what_follows_a_join_at_once_is_heard_after_it(story):
    async def hasty(runtime):
        visit = await knocks()
        visit.client.send(JOIN + message("speak", text="one") + message("wave"))
        visit.client.send(message("speak", text="two"))
        await settled()
        said = [json.loads(one) for one in texts(visit.client)]
        spoken = [one["payload"]["text"] for one in said if one["type"] == "spoken"]
        assert (kinds(visit)[0], spoken) == ("ROOM_SNAPSHOT", ["one", "two"])

    story(hasty)


def test_who_joins_again_in_the_middle_keeps_the_order(story):
    async def again(runtime):
        visit = await knocks(joining=True)
        before = len(texts(visit.client))
        visit.client.send(message("speak", text="1") + JOIN + message("speak", text="2"))
        await settled()
        visit.client.send(message("speak", text="3"))
        await settled()
        assert kinds(visit)[before:] == ["spoken", "ROOM_SNAPSHOT", "spoken", "spoken"]

    story(again)


def test_members_are_heard_in_the_same_call(story):
    async def waves(runtime):
        visit = await knocks(joining=True)
        visit.client.send(message("wave"))
        await asyncio.sleep(0)  # the end of this tick
        assert kinds(visit)[-1] == "waved"

    story(waves)


ENDS = {
    "a close": (lambda client: client.send(close(1000)), True),
    "a close of a tab": (lambda client: client.send(close(1001)), True),
    "a close of its own": (lambda client: client.send(close(4000, "bye")), True),
    "a close without a code": (lambda client: client.send(frame(CLOSE)), True),
    "a close of nobody's": (lambda client: client.send(close(1011)), False),
    "a reset": (lambda client: client.reset(), False),
    "FIN": (lambda client: client.end(), False),
    "no answer to a ping": (lambda client: client.protocol.give_up(), False),
    "nonsense": (lambda client: client.send(b"\xff" * 9), False),
    "bad UTF-8": (lambda client: client.send(frame(TEXT, b"\xff")), False),
    "too many pings": (lambda client: client.send(frame(PING) * 1000), False),
    "the server's end": (lambda client: client.protocol.shutdown(), False),
}


@pytest.mark.parametrize(("ends", "goodbye"), ENDS.values(), ids=ENDS)
def test_only_a_page_or_a_browser_says_goodbye(story, ends, goodbye):
    async def leaves(runtime):
        heard = []
        visit = await knocks(joining=True)
        runtime.hub.on_absence = lambda key, player_id, by_client: heard.append(by_client)
        ends(visit.client)
        await settled()
        assert heard == [goodbye]

    story(leaves)


@pytest.mark.parametrize("joining", [False, True])
def test_a_flood_closes_and_what_follows_it_is_not_kept(story, joining):
    async def floods(runtime):
        visit = await knocks(joining=joining)
        visit.client.send(FLOOD)
        await settled()
        assert codes(visit) == [1008]
        visit.client.send(FLOOD + frame(PONG) + close(1008))
        await settled()
        assert visit.gone()
        assert empty(runtime)

    story(floods)


def test_bytes_close(story):
    async def says_bytes(runtime):
        visit = await knocks(joining=True)
        visit.client.send(frame(BINARY, b"1"))
        await settled()
        assert codes(visit) == [1003]

    story(says_bytes)


def test_a_member_who_reads_nothing_costs_the_others_nothing_and_is_closed(story):
    async def stalls(runtime):
        alice, stalled = await knocks(joining=True), await knocks(joining=True)
        stalled.stalls()
        for number in range(200):
            alice.client.send(message("speak", text=f"{number} " + "x" * 5000))
            await settled()
        spoken = kinds(alice).count("spoken")
        assert spoken == 200
        assert stalled.protocol not in runtime.sockets
        assert runtime.hub.count() == 1
        stalled.client.reads_on()
        await settled()
        assert codes(stalled) == [4011]

    story(stalls, rate_limits=False)


def test_a_member_who_stalls_is_sent_away_like_all_others(story):
    async def drains(runtime):
        visits = [await knocks(joining=True) for _ in range(2)]
        visits[0].stalls()
        loop = asyncio.get_running_loop()
        await send_away(runtime.sockets, 250, loop.time() + 1)
        assert runtime.hub.count() == 0
        for visit in visits:
            visit.client.reads_on()
            await settled()
            assert codes(visit) == [1012]
            visit.client.send(close(1012))
            await settled()
        assert empty(runtime)

    story(drains)


LEAVES = {
    "a reset": lambda client: client.reset(),
    "FIN": lambda client: client.end(),
    "a close": lambda client: client.send(close(1000)),
    "nonsense, and FIN": lambda client: (client.send(b"\xff" * 9), client.end()),
}


@pytest.mark.parametrize("leaves", LEAVES.values(), ids=LEAVES)
@pytest.mark.parametrize("joining", [False, True])
@pytest.mark.parametrize("stalls", [False, True])
def test_a_socket_that_is_gone_is_freed_at_once(story, leaves, joining, stalls):
    """Not when garbage is collected: that is seldom, and there are many."""

    async def comes_and_goes(runtime):
        visit = await knocks(joining=joining)
        if stalls:
            visit.stalls()
        (wire,) = runtime.sockets
        line = weakref.ref(visit.client)
        leaves(visit.client)
        visit.client.reads_on()
        await settled()
        assert visit.gone()
        assert empty(runtime)
        assert wire.closed
        del visit, wire
        assert line() is None

    gc.collect()
    gc.disable()
    try:
        story(comes_and_goes)
    finally:
        gc.enable()
