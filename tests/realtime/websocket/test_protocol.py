"""The protocol between a client and an application, from the request to the end of both."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import Any

import pytest
from uvicorn.protocols.utils import ClientDisconnected

from realtime.websocket.protocol import (
    CLOSE_TIMEOUT_S,
    EARLY_MAX_BYTES,
    EVENTS_WAITING,
    UNCOUNTED_PER_S,
)
from tests.support.engine import settled
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.visits import (
    BINARY,
    CLOSE,
    HANDSHAKE,
    HIGH_WATER,
    PING,
    PONG,
    TEXT,
    Visit,
    close,
    frame,
    text,
    texts,
)

GONE = {"type": "websocket.disconnect", "code": 1006}
LONG_S = 100.0

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return VIRTUAL_TIME


def code(number: int, reason: str = "") -> tuple[int, bytes]:
    """A CLOSE as the client gets it."""
    return (CLOSE, number.to_bytes(2, "big") + reason.encode())


class Listener:
    """An application's ear and its wire."""

    def __init__(self, visit: Visit, leaves: str = "") -> None:
        self.heard: list[str] = []
        self.told: list[str] = []
        self._socket, self._leaves = visit.app.socket, leaves
        self._socket.attach(self)
        self.listens()

    def listens(self) -> None:
        self._socket.listen(self.hear)

    def hear(self, said: bytes) -> bool:
        if self._leaves and said.decode() == self._leaves:
            return False
        self.heard.append(said.decode())
        return True

    def paused(self) -> None:
        self.told.append("paused")

    def resumed(self) -> None:
        self.told.append("resumed")

    def lost(self) -> None:
        self.told.append("lost")


# -- the handshake -------------------------------------------------------------------------------


class TestAHandshakeOfAClientThatSendsNothingMore:
    """It can join nothing, but is told whether it might have."""

    async def test_is_answered_and_the_socket_is_over(self):
        visit = await Visit().arrives()
        visit.client.end()
        await settled()
        assert not visit.client.closing
        await visit.app.send("accept")
        await settled()
        assert visit.client.status == 101
        assert visit.client.lost
        assert await visit.app.hears() == GONE

    async def test_is_refused_as_any_other(self):
        visit = await Visit().knocks()
        visit.client.end()
        await visit.app.send("close")
        await settled()
        assert visit.client.status == 403
        assert visit.client.lost

    async def test_has_what_was_sent_behind_it_read_before_the_end(self):
        visit = await Visit().knocks(HANDSHAKE + text("hello"))
        visit.client.end()
        assert await visit.app.receive() == {"type": "websocket.connect"}
        await visit.app.send("accept")
        assert await visit.app.hears() == "hello"
        assert await visit.app.hears() == GONE

    async def test_that_nobody_answers_is_broken_off(self):
        visit = await Visit().knocks()
        visit.client.end()
        await asyncio.sleep(CLOSE_TIMEOUT_S + 0.1)
        assert visit.client.aborted
        assert visit.client.lost


async def test_an_application_is_asked_and_says_yes():
    visit = await Visit().arrives()
    assert visit.client.got == b""
    await visit.app.send("accept", subprotocol="chat", headers=[(b"x-room", b"1")])
    head = visit.client.got
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Protocol: chat\r\nx-room: 1\r\n" in head
    assert visit.client.frames == []


async def test_what_an_application_is_told_of_a_request():
    head = HANDSHAKE.replace(b"/parties/chat/K7PQ2M?", b"/parties/ch%C3%A4t/%2e?")
    scope = (await Visit().knocks(head)).app.scope
    assert (scope["type"], scope["scheme"], scope["http_version"]) == ("websocket", "ws", "1.1")
    assert (scope["path"], scope["raw_path"]) == ("/parties/chät/.", b"/parties/ch%C3%A4t/%2e")
    assert scope["query_string"] == b"_pk=1"
    assert (scope["client"], scope["server"]) == (("10.0.0.2", 4711), ("10.0.0.1", 1999))
    assert scope["subprotocols"] == []
    assert (b"host", b"rooms.example") in scope["headers"]


@pytest.mark.parametrize("at", [1, 20, len(HANDSHAKE) - 1])
async def test_a_request_may_come_in_pieces(at):
    visit = await Visit().knocks(HANDSHAKE[:at])
    assert visit.app.started == 0
    visit.client.send(HANDSHAKE[at:])
    await settled()
    assert visit.app.started == 1


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [(b"Host", b"X", 400), (b": 13", b": 8", 426), (b"ZQ==", b"ZQ", 400), (b"GET", b"PUT", 400)],
)
async def test_a_bad_request_is_refused_and_nobody_is_asked(old, new, status):
    visit = await Visit().knocks(HANDSHAKE.replace(old, new))
    assert visit.client.status == status
    head, _, body = visit.client.got.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    code = "UPGRADE_REQUIRED" if status == 426 else "BAD_REQUEST"
    assert json.loads(body)["error"]["code"] == code
    assert visit.client.lost
    assert visit.app.started == 0
    assert visit.gone()


async def test_a_request_without_an_end_is_too_large():
    visit = await Visit().knocks(b"GET / HTTP/1.1\r\n")
    visit.client.send(b"x" * EARLY_MAX_BYTES)
    await settled()
    assert visit.client.status == 431
    assert visit.gone()


async def test_what_is_sent_before_the_answer_is_heard_after_it():
    visit = await Visit().knocks(HANDSHAKE + text("one") + text("two")[:3])
    visit.client.send(text("two")[3:] + frame(PING, b"?"))
    assert await visit.app.receive() == {"type": "websocket.connect"}
    assert visit.client.got == b""
    await visit.app.send("accept")
    assert [await visit.app.hears() for _ in "12"] == ["one", "two"]
    assert visit.client.frames == [(PONG, b"?")]


async def test_who_sends_too_much_before_the_answer_is_refused_and_no_bug_is_reported(caplog):
    visit = await Visit().arrives()
    visit.client.send(bytes(EARLY_MAX_BYTES + 1))
    with pytest.raises(ClientDisconnected):
        await visit.app.send("accept")
    await visit.app.ends(ClientDisconnected())
    assert visit.client.status == 431
    assert await visit.app.hears() == GONE
    assert (visit.gone(), caplog.text) == (True, "")


async def test_a_second_request_behind_the_first_is_none():
    visit = await Visit().arrives()
    await visit.app.send("http.response.start", status=403)
    visit.client.send(HANDSHAKE)
    await settled()
    assert visit.app.started == 1


async def test_an_application_may_say_no():
    visit = await Visit().arrives()
    await visit.app.send("close")
    assert visit.client.status == 403
    assert await visit.app.hears() == GONE
    await visit.app.ends()
    assert visit.gone()


async def test_an_application_may_say_no_in_its_own_words():
    visit = await Visit().arrives()
    headers = [(b"retry-after", b"1")]
    await visit.app.send("http.response.start", status=503, headers=headers)
    await visit.app.send("http.response.body", body=b"la", more_body=True)
    assert visit.client.got == b""
    await visit.app.send("http.response.body", body=b"ter")
    assert visit.client.status == 503
    assert b"\r\nretry-after: 1\r\n" in visit.client.got
    assert visit.client.got.endswith(b"\r\n\r\nlater")
    await visit.app.ends()
    assert visit.gone()


@pytest.mark.parametrize("kind", ["send", "http.response.body", "nonsense"])
async def test_anything_else_is_no_answer_to_a_handshake(kind):
    visit = await Visit().arrives()
    with pytest.raises(RuntimeError, match=kind):
        await visit.app.send(kind, text="hello")


@pytest.mark.parametrize(
    ("error", "said"), [(None, ""), (ValueError("a bug"), "Exception in ASGI application")]
)
async def test_an_application_that_gives_no_answer_is_answered_for(error, said, caplog):
    visit = await Visit().arrives()
    await visit.app.ends(error)
    assert visit.client.status == 500
    assert (visit.gone(), said in caplog.text) == (True, True)


async def test_an_application_that_breaks_in_the_middle_of_a_refusal_is_answered_for():
    visit = await Visit().arrives()
    await visit.app.send("http.response.start", status=403)
    await visit.app.ends(ValueError())
    assert visit.client.status == 500
    assert visit.gone()


@pytest.mark.parametrize("leaves", ["end", "reset"])
async def test_who_leaves_before_the_answer_gets_none(leaves):
    visit = await Visit().arrives()
    getattr(visit.client, leaves)()
    await settled()
    assert await visit.app.hears() == GONE
    with pytest.raises(ClientDisconnected):
        await visit.app.send("accept")
    await visit.app.ends(ClientDisconnected())
    assert (visit.client.got, visit.gone()) == (b"", True)


# -- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["", "a", "x" * 125, "x" * 126, "ü€🎲" * 100, "x" * 65536])
async def test_texts_pass_both_ways(said):
    visit = await Visit().opens()
    visit.client.send(text(said))
    assert await visit.app.hears() == said
    await visit.app.send("send", text=said)
    assert texts(visit.client) == [said]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
async def test_so_do_bytes(size):
    visit = await Visit().opens()
    visit.client.send(frame(BINARY, bytes(size)))
    assert await visit.app.hears() == bytes(size)
    await visit.app.send("send", bytes=bytes(size))
    assert visit.client.frames == [(BINARY, bytes(size))]


@pytest.mark.parametrize("piece", [1, 3, 4095, 4096, 4097])
async def test_it_makes_no_difference_how_messages_are_cut(piece):
    visit = await Visit(ws_max_size=1 << 20).opens()
    stream = b"".join(
        [
            text("one"),
            frame(TEXT, b"x" * 5000, final=False),
            frame(PING, b"?"),
            frame(0, b"", final=False),
            frame(0, b"y" * 5000),
            text("three"),
        ]
    )
    for at in range(0, len(stream), piece):
        visit.client.send(stream[at : at + piece])
    assert [await visit.app.hears() for _ in "123"] == ["one", "x" * 5000 + "y" * 5000, "three"]
    assert visit.client.frames == [(PONG, b"?")]


async def test_who_waits_for_an_event_is_woken():
    visit = await Visit().opens()
    waiting = asyncio.ensure_future(visit.app.hears())
    await settled()
    assert not waiting.done()
    visit.client.send(text("hello"))
    assert await waiting == "hello"


async def test_who_was_cancelled_while_it_waited_misses_nothing():
    visit = await Visit().opens()
    waiting = asyncio.ensure_future(visit.app.hears())
    await settled()
    waiting.cancel()
    await settled()
    visit.client.send(text("hello"))
    assert await visit.app.hears() == "hello"


# -- hearing in the same call --------------------------------------------------------------------


async def test_a_listener_hears_in_the_same_call():
    visit = await Visit().opens()
    listener = Listener(visit)
    visit.client.send(text("one") + text("two"))
    assert listener.heard == ["one", "two"]


async def test_what_a_listener_leaves_and_what_follows_it_are_events():
    visit = await Visit().opens()
    listener = Listener(visit, leaves="join")
    visit.client.send(b"".join(map(text, ["one", "join", "two"])))
    visit.client.send(text("three"))
    assert listener.heard == ["one"]
    assert [await visit.app.hears() for _ in "123"] == ["join", "two", "three"]
    visit.client.send(text("four"))
    assert await visit.app.hears() == "four"


async def test_nobody_listens_past_events_that_wait():
    visit = await Visit().opens()
    listener = Listener(visit, leaves="join")
    visit.client.send(text("join") + text("one"))
    assert await visit.app.hears() == "join"
    listener.listens()
    visit.client.send(text("two"))
    assert [await visit.app.hears() for _ in "12"] == ["one", "two"]
    listener.listens()
    visit.client.send(text("three"))
    assert listener.heard == ["three"]


async def test_bytes_are_not_heard_and_keep_their_place():
    visit = await Visit().opens()
    listener = Listener(visit)
    visit.client.send(text("one") + frame(BINARY, b"two") + text("three"))
    assert listener.heard == ["one"]
    assert [await visit.app.hears() for _ in "12"] == [b"two", "three"]


async def test_who_closes_while_it_hears_hears_no_more():
    visit = await Visit().opens()
    heard = []

    def hear(said):
        heard.append(said)
        visit.app.socket.close(4000, "enough")
        return True

    visit.app.socket.listen(hear)
    visit.client.send(text("one") + text("two") + frame(PING) + frame(BINARY))
    assert heard == [b"one"]
    assert visit.client.frames == [code(4000, "enough")]
    assert await visit.app.hears() == {**GONE, "code": 4000, "reason": "enough"}


# -- who asks for more than is taken -------------------------------------------------------------


async def test_with_many_events_waiting_nothing_more_is_read_and_then_it_is():
    visit = await Visit().opens()
    for number in range(EVENTS_WAITING):
        assert visit.client.listens
        visit.client.send(text(str(number)))
    assert not visit.client.listens
    for number in range(EVENTS_WAITING):
        assert await visit.app.hears() == str(number)
    await settled()
    assert visit.client.listens


async def test_of_one_great_read_only_so_much_becomes_events():
    """An empty text is 6 bytes on its way, and an event of some hundred."""
    visit = await Visit().opens()
    count = 40_000
    visit.client.send(text("") * count + text("the last"))
    await settled()
    assert len(visit.protocol._events) < 3000
    for _ in range(count):
        assert await visit.app.hears() == ""
    assert await visit.app.hears() == "the last"
    await settled()
    assert visit.client.listens


async def test_a_close_behind_many_events_comes_after_them():
    visit = await Visit().opens()
    visit.client.send(text("") * 5000 + close(4000, "bye"))
    for _ in range(5000):
        assert await visit.app.hears() == ""
    assert await visit.app.hears() == {**GONE, "code": 4000, "reason": "bye"}


async def test_our_close_is_answered_by_whom_we_did_not_read():
    visit = await Visit().opens()
    visit.client.send(text("") * 5000)
    visit.app.socket.close(4011)
    await settled()
    assert visit.client.listens
    visit.client.send(text("") * 5000 + close(4011))
    await settled()
    assert visit.client.lost
    assert visit.client.frames == [code(4011)]


async def test_who_is_not_read_is_not_given_up():
    visit = await Visit().opens()
    visit.client.send(text("") * EVENTS_WAITING)
    await asyncio.sleep(LONG_S)
    assert visit.client.frames == []
    assert not visit.client.lost


async def test_pings_are_answered():
    visit = await Visit().opens()
    visit.client.send(frame(PING, b"1") + text("hello") + frame(PING, b"2") + frame(PONG, b"3"))
    assert visit.client.frames == [(PONG, b"1"), (PONG, b"2")]


async def test_a_slow_reader_gets_one_answer_to_all_its_pings():
    visit = await Visit().opens()
    visit.stalls()
    for number in range(400):
        visit.client.send(frame(PING, str(number).encode()))
    visit.client.reads_on()
    assert visit.client.frames[1:] == [(PONG, b"399")]
    visit.client.send(frame(PING, b"again"))
    assert visit.client.frames[2:] == [(PONG, b"again")]


async def test_more_than_is_bearable_is_a_flood():
    visit = await Visit().opens()
    for _ in range(5):
        visit.client.send(frame(PING) * UNCOUNTED_PER_S)
        await asyncio.sleep(1)
    visit.client.send(frame(PING) * UNCOUNTED_PER_S + frame(PONG) * 2 + text("too late"))
    assert len(visit.client.frames) == 6 * UNCOUNTED_PER_S + 1
    assert visit.client.frames[-1] == code(1008)
    assert (await visit.app.hears())["code"] == 1008


async def test_fragments_without_end_are_a_flood():
    """They may be empty, and no message ever comes of them that somebody would count."""
    visit = await Visit().opens()
    visit.client.send(frame(TEXT, b"", final=False) + frame(0, b"", final=False) * 498)
    assert visit.client.frames == []
    visit.client.send(frame(0, b"", final=False) * 2)
    assert visit.client.frames == [code(1008)]


async def test_who_says_much_at_once_does_not_keep_others_waiting():
    visit, other = await Visit().opens(), await Visit().opens()
    loud, quiet = Listener(visit), Listener(other)
    visit.client.send(text("") * 40_000)
    assert len(loud.heard) < 3000
    assert not visit.client.listens
    asyncio.get_running_loop().call_soon(other.client.send, text("hello"))
    await asyncio.sleep(0)
    assert quiet.heard == ["hello"]
    assert len(loud.heard) < 6000
    for _ in range(40):
        await asyncio.sleep(0)
    assert len(loud.heard) == 40_000
    assert visit.client.listens


async def test_what_comes_meanwhile_keeps_its_place():
    visit = await Visit().opens()
    listener = Listener(visit)
    visit.client.send(text("one") * 5000)
    visit.protocol.data_received(text("two"))
    await settled()
    assert listener.heard == ["one"] * 5000 + ["two"]


async def test_a_wire_is_told_how_the_client_keeps_up():
    visit = await Visit().opens()
    listener = Listener(visit)
    visit.stalls()
    assert listener.told == ["paused"]
    visit.client.read(HIGH_WATER // 2)
    assert listener.told == ["paused"]
    visit.client.read()
    assert listener.told == ["paused", "resumed"]
    visit.client.reset()
    await settled()
    assert listener.told == ["paused", "resumed", "lost"]


async def test_who_sends_waits_for_a_slow_reader():
    visit = await Visit().opens()
    visit.stalls()
    sending = asyncio.ensure_future(visit.app.send("send", text="late"))
    await settled()
    assert not sending.done()
    visit.client.reads_on()
    await sending
    assert texts(visit.client) == ["late"]


@pytest.mark.parametrize("leaves", ["end", "reset"])
async def test_who_waits_for_a_reader_that_leaves_is_told(leaves):
    visit = await Visit().opens()
    visit.stalls()
    sending = asyncio.ensure_future(visit.app.send("send", text="never"))
    await settled()
    getattr(visit.client, leaves)()
    with pytest.raises(ClientDisconnected):
        await sending


# -- how it ends ---------------------------------------------------------------------------------

CLOSES = {
    "with a code": (close(1000), 1000, ""),
    "with a reason": (close(4321, "über"), 4321, "über"),
    "a tab is closed": (close(1001), 1001, ""),
    "without a code": (frame(CLOSE), 1005, ""),
}
FAULTS = {
    "bad UTF-8": (frame(TEXT, b"\xff"), 1007),
    "a message that is too large": (frame(TEXT, bytes(65537)), 1009),
    "fragments that are too large": (
        frame(TEXT, bytes(65536), final=False) + frame(0, bytes(1)),
        1009,
    ),
    "a frame that is not masked": (b"\x81\x01a", 1002),
    "a reserved bit": (b"\xc1\x80" + bytes(4), 1002),
    "a ping in fragments": (frame(PING, final=False), 1002),
    "a long ping": (frame(PING, bytes(126)), 1002),
    "a fragment of nothing": (frame(0), 1002),
    "a close code that may not be said": (close(1005), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "a reason in bad UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.parametrize(("said", "number", "reason"), CLOSES.values(), ids=CLOSES)
async def test_a_client_that_closes_is_answered_in_kind(said, number, reason):
    visit = await Visit().opens()
    listener = Listener(visit)
    visit.client.send(text("bye") + said + text("too late"))
    assert listener.heard == ["bye"]
    assert listener.told == ["lost"]
    assert await visit.app.hears() == {**GONE, "code": number, "reason": reason}
    assert visit.client.frames == [(CLOSE, said[6:8])]
    await visit.app.ends()
    assert visit.client.lost
    assert visit.gone()


@pytest.mark.parametrize(("said", "number"), FAULTS.values(), ids=FAULTS)
async def test_what_can_not_be_read_closes_with_a_code_that_says_why(said, number):
    visit = await Visit().opens()
    visit.client.send(text("good") + said + text("too late") + frame(PING))
    assert await visit.app.hears() == "good"
    assert (await visit.app.hears())["code"] == number
    visit.client.send(b"\x00" * 100_000)
    assert visit.client.frames == [code(number)]
    assert visit.client.ended
    visit.client.end()
    await visit.app.ends()
    assert visit.gone()


async def test_who_breaks_the_rules_and_stays_is_broken_off():
    visit = await Visit().opens()
    visit.client.send(b"\x00" * 10)
    await visit.app.ends()
    await asyncio.sleep(CLOSE_TIMEOUT_S + 1)
    assert visit.client.aborted
    assert visit.gone()


@pytest.mark.parametrize("leaves", ["end", "reset"])
async def test_a_connection_that_breaks_says_no_goodbye(leaves):
    visit = await Visit().opens()
    listener = Listener(visit)
    getattr(visit.client, leaves)()
    await settled()
    assert listener.told == ["lost"]
    assert await visit.app.hears() == GONE
    await visit.app.ends()
    assert visit.gone()


async def test_who_ends_its_half_and_reads_nothing_is_broken_off():
    visit = await Visit().opens()
    visit.stalls()
    visit.client.end()
    assert await visit.app.hears() == GONE
    await visit.app.ends()
    await asyncio.sleep(CLOSE_TIMEOUT_S + 1)
    assert visit.client.aborted
    assert visit.gone()


async def test_who_does_not_answer_a_ping_is_gone():
    visit = await Visit().opens()
    await asyncio.sleep(LONG_S)
    assert visit.client.frames == [(PING, b""), code(1011, "keepalive ping timeout")]
    assert await visit.app.hears() == GONE
    await visit.app.ends()
    assert visit.client.lost
    assert visit.gone()


async def test_who_does_not_even_read_its_pings_is_broken_off():
    visit = await Visit().opens()
    visit.stalls()
    await asyncio.sleep(LONG_S)
    assert visit.client.aborted
    await visit.app.ends()
    assert visit.gone()


async def test_whoever_answers_pings_may_stay():
    visit = await Visit().opens()
    for _ in range(100):
        await asyncio.sleep(5)
        pings = visit.client.frames
        visit.client.got = visit.client.got[: visit.client.got.index(b"\r\n\r\n") + 4]
        visit.client.send(b"".join(frame(PONG, payload) for _, payload in pings))
    assert not visit.client.closing


async def test_our_close_waits_for_an_answer():
    visit = await Visit().opens()
    listener = Listener(visit)
    await visit.app.send("close", code=4004, reason="gone")
    assert listener.told == ["lost"]
    assert await visit.app.hears() == {**GONE, "code": 4004, "reason": "gone"}
    await visit.app.ends()
    assert not visit.client.closing
    visit.client.send(text("still talking") + frame(PING) + close(4004))
    await settled()
    assert visit.client.frames == [code(4004, "gone")]
    assert visit.gone()


async def test_our_close_does_not_wait_for_ever_while_the_client_talks():
    visit = await Visit().opens()
    visit.app.socket.close(1012)
    await visit.app.ends()
    for _ in range(int(CLOSE_TIMEOUT_S)):
        visit.client.send(text("la") * 1000 + frame(PING))
        await asyncio.sleep(1)
    await settled()
    assert visit.client.aborted
    assert visit.client.frames == [code(1012)]
    assert visit.gone()


async def test_how_long_it_waits_can_be_said():
    visit = await Visit().opens()
    visit.app.socket.close(4011, limit_s=1)
    await visit.app.ends()
    await asyncio.sleep(0.9)
    assert not visit.client.aborted
    await asyncio.sleep(0.2)
    assert visit.client.aborted


async def test_a_close_that_crosses_ours_is_its_answer():
    visit = await Visit().opens()
    visit.app.socket.close(4000)
    visit.client.send(close(1001, "me first"))
    await settled()
    assert visit.client.frames == [code(4000)]
    assert (await visit.app.hears())["code"] == 4000
    assert visit.client.lost


async def test_a_slow_reader_that_closes_gets_what_is_on_its_way():
    visit = await Visit().opens()
    listener = Listener(visit)
    visit.stalls()
    visit.client.send(close(1000))
    assert (await visit.app.hears())["code"] == 1000
    assert listener.told == ["paused", "lost"]
    await visit.app.ends()
    assert not visit.client.lost
    visit.client.read()
    await settled()
    assert listener.told == ["paused", "lost"]
    assert visit.client.frames[1:] == [code(1000)]
    assert visit.gone()


async def test_a_slow_reader_that_closes_and_reads_nothing_is_broken_off():
    visit = await Visit().opens()
    visit.stalls()
    visit.client.send(close(1000))
    await visit.app.ends()
    await asyncio.sleep(CLOSE_TIMEOUT_S + 1)
    assert visit.client.aborted
    assert visit.gone()


@pytest.mark.parametrize("event", [{"kind": "send", "text": "x"}, {"kind": "close"}])
async def test_there_is_nobody_to_send_to_after_a_close(event):
    visit = await Visit().opens()
    await visit.app.send("close")
    with pytest.raises(ClientDisconnected):
        await visit.app.send(**event)
    visit.app.socket.close(1011)
    assert visit.client.frames == [code(1000)]


async def test_the_disconnect_is_the_last_event_for_ever():
    visit = await Visit().opens()
    visit.client.send(close(1000))
    for _ in range(3):
        assert (await visit.app.hears())["code"] == 1000


@pytest.mark.parametrize(("error", "number"), [(None, 1000), (ValueError("a bug"), 1011)])
async def test_an_application_that_leaves_closes(error, number, caplog):
    visit = await Visit().opens()
    await visit.app.ends(error)
    assert visit.client.frames == [code(number)]
    assert ("a bug" in caplog.text) == bool(error)
    visit.client.send(close(number))
    await settled()
    assert visit.gone()


async def test_a_task_that_is_cancelled_breaks_off():
    visit = await Visit().opens()
    for task in visit.server.tasks:
        task.cancel()
    await settled()
    assert visit.client.aborted
    assert visit.gone()


# -- the server ends -----------------------------------------------------------------------------


async def test_a_server_that_ends_says_come_back():
    visit = await Visit().opens()
    listener = Listener(visit)
    visit.protocol.shutdown()
    assert visit.client.frames == [code(1012)]
    assert (await visit.app.hears())["code"] == 1012
    assert listener.told == ["lost"]
    await visit.app.ends()
    assert visit.gone()


async def test_a_server_that_ends_answers_no_handshake(caplog):
    visit = await Visit().arrives()
    visit.protocol.shutdown()
    assert visit.client.status == 503
    with pytest.raises(ClientDisconnected):
        await visit.app.send("accept")
    await visit.app.ends(ClientDisconnected())
    assert (visit.gone(), caplog.text) == (True, "")


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n"])
async def test_a_server_that_ends_waits_for_no_request(said):
    visit = await Visit().knocks(said)
    visit.protocol.shutdown()
    await settled()
    assert visit.client.status == 503
    assert visit.gone()


async def test_a_server_that_ends_waits_for_no_answer_to_a_close():
    visit = await Visit().opens()
    visit.app.socket.close(4004)
    visit.protocol.shutdown()
    await visit.app.ends()
    assert visit.client.frames == [code(4004)]
    assert visit.gone()


async def test_a_server_that_ends_is_not_kept_by_a_slow_reader():
    visit = await Visit().opens()
    visit.stalls()
    visit.protocol.shutdown()
    await visit.app.ends()
    await asyncio.sleep(CLOSE_TIMEOUT_S + 1)
    assert visit.client.aborted
    assert visit.gone()


# -- nothing is left -----------------------------------------------------------------------------


async def knocks(visit):
    await visit.knocks()


async def opens(visit):
    await visit.opens()


async def closes(visit):
    (await visit.opens()).app.socket.close(1000)


async def is_closed(visit):
    (await visit.opens()).client.send(close(1000))


async def fails(visit):
    (await visit.opens()).client.send(b"\x00\x00")


async def stalls(visit):
    (await visit.opens()).stalls()


async def stalls_and_is_closed(visit):
    (await visit.opens()).stalls()
    visit.app.socket.close(4011, limit_s=1)


async def is_not_read(visit):
    (await visit.opens()).client.send(text("") * 1000)


STATES = [knocks, opens, closes, is_closed, fails, stalls, stalls_and_is_closed, is_not_read]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("ends", ["reset", "abort", "shutdown"])
async def test_however_it_ends_nothing_is_left_and_nothing_goes_on(state, ends):
    visit = Visit()
    await state(visit)
    if ends == "shutdown":
        visit.protocol.shutdown()
        visit.client.read()
    else:
        getattr(visit.client, ends)()
    await settled()
    await visit.app.ends()
    got = visit.client.got
    assert visit.gone()
    visit.protocol.close(1000)
    visit.protocol.shutdown()
    await asyncio.sleep(LONG_S)
    assert visit.client.got == got
    loop: Any = asyncio.get_running_loop()
    assert not loop._scheduled


async def test_a_socket_that_is_gone_is_freed_at_once():
    """Not when garbage is collected, which is seldom."""
    visit = await Visit().opens()
    Listener(visit)
    line = weakref.ref(visit.client)
    gc.collect()
    gc.disable()
    try:
        visit.client.reset()
        await settled()
        await visit.app.ends()
        vars(visit.app).clear()  # as an application does that is done with it
        del visit
        await settled()
        assert line() is None
    finally:
        gc.enable()
