"""Sockets as players have them, on uvicorn and on Daphne."""

from __future__ import annotations

import itertools
import json
import socket as sockets
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from config import env
from tests.e2e.conftest import places
from tests.support.servers import server, until
from tests.support.site import Site, player

JOIN_TIMEOUT_S = 4.0
FRAME_MAX_BYTES = 64 * 1024
LINES = 20
STRANGERS = 100
STRANGERS_OF_ONE_ADDRESS = 20
DAPHNE = ("-m", "daphne", "-b", "127.0.0.1", "-p")
numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def kind(request):
    """The server that the realtime service runs on."""
    return request.param


@pytest.fixture(scope="module")
def house(kind, any_migrated, tmp_path_factory):
    """A realtime service alone, on each server."""
    with house_of(kind, any_migrated, tmp_path_factory.mktemp(kind)) as house:
        yield house


@contextmanager
def house_of(kind, migrated, folder, **limits):
    with migrated.copy(folder) as database:
        limits["UNAUTHENTICATED_SOCKETS"] = str(STRANGERS)
        realtime = server("realtime", {**database.environ, **places(), **limits}, folder)
        if kind == "daphne":
            realtime = realtime.that_runs(*DAPHNE, str(realtime.port), "config.asgi:application")
        with realtime:
            yield Site(realtime, database)


@pytest.fixture
def room(house):
    """A room with alice in it, who is its host: its id, and her token."""
    room_id = f"room-{next(numbers)}"
    host = player("alice", isHost=True)
    assert house.register(room_id, host).status_code == 200
    return room_id, host["playerToken"]


@pytest.fixture
def alice(house, room):
    """Her socket, which has joined."""
    room_id, token = room
    with house.socket(room_id) as socket:
        socket.join(token)
        socket.see("alice")
        yield socket


@pytest.fixture
def sent(request, house):
    """What a client sees of a close code: Daphne says 1000 for all those below 3000."""
    daphne = "daphne" in house.realtime.arguments
    return lambda code: 1000 if daphne and code < 3000 else code


def error(frame):
    assert frame["type"] == "ERROR"
    assert frame["payload"]["message"]
    return frame["payload"]["code"]


# -- who may come in -----------------------------------------------------------------------------


def test_a_silent_socket_hears_nothing_and_is_closed(kind, any_migrated, tmp_path):
    host, limits = player("alice", isHost=True), {"JOIN_TIMEOUT_S": str(JOIN_TIMEOUT_S)}
    with house_of(kind, any_migrated, tmp_path, **limits) as house:
        assert house.register("silent", host).status_code == 200
        with house.socket("silent") as alice:
            alice.join(host["playerToken"])
            with house.socket("silent") as silent:
                alice.send("SEND_CHAT", {"text": "psst"})
                alice.hear("psst")
                assert silent.closed() == 4005
                assert silent.frames == []


def test_ten_seconds_are_the_default():
    assert env.load({}).join_timeout_s == 10


def test_before_joining_everything_else_is_refused(house, room):
    room_id, token = room
    with house.socket(room_id) as socket:
        socket.send("SEND_CHAT", {"text": "hello"}, requestId="r1")
        refused = socket.receive()
        assert (error(refused), refused["requestId"]) == ("UNAUTHORIZED", "r1")
        assert socket.join(token)["me"]["username"] == "alice"


def test_a_wrong_token_is_told_and_closed(house, room):
    with house.socket(room[0]) as socket:
        socket.send("JOIN_ROOM", {"playerToken": "canary_of_somebody_else"}, requestId="r1")
        refused = socket.receive()
        assert (error(refused), refused["requestId"]) == ("UNAUTHORIZED", "r1")
        assert socket.closed() == 4001


def test_a_token_of_another_room_opens_nothing(house, room):
    other = player("bob", isHost=True)
    house.register(f"{room[0]}-2", other)
    with house.socket(room[0]) as socket:
        socket.send("JOIN_ROOM", {"playerToken": other["playerToken"]})
        assert socket.closed() == 4001


@pytest.mark.parametrize("room_id", ["nowhere", "..%2fetc", "a%00b", "x" * 65, "a/b/c"])
def test_an_unknown_room_is_told_and_closed(house, room_id):
    with house.socket(room_id) as socket:
        if room_id == "nowhere":
            socket.send("JOIN_ROOM", {"playerToken": "canary_1"})
        assert error(socket.receive()) == "ROOM_NOT_FOUND"
        assert socket.closed() == 4004


def test_an_unknown_party_is_told_and_closed(house, room):
    with house.socket(room[0], party="nonesuch") as socket:
        assert error(socket.receive()) == "ROOM_NOT_FOUND"
        assert socket.closed() == 4004


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://[",
        "http://[::1",
        "://",
        "",
        "http://127.0.0.1:3000.evil.example",
        "http://127.0.0.1:3000@evil.example",
    ],
)
def test_a_foreign_page_is_refused_at_the_handshake(house, room, origin):
    """A malformed one too; Daphne answers that with its own 400."""
    with pytest.raises(InvalidStatus) as refused:
        house.socket(room[0], additional_headers={"Origin": origin})
    answer = refused.value.response
    if "daphne" in house.realtime.arguments:
        assert answer.status_code in (400, 403)
    else:
        assert answer.status_code == 403
        assert json.loads(answer.body)["error"]["code"] == "FORBIDDEN"
        assert ascii(origin) in house.realtime.said


@pytest.mark.parametrize(
    "origin", ["http://localhost:5173", "HTTP://127.0.0.1:3000", "null", "own"]
)
def test_known_pages_are_let_in(house, room, origin):
    origin = house.realtime.url if origin == "own" else origin
    with house.socket(room[0], additional_headers={"Origin": origin}) as socket:
        assert socket.join(room[1])


def test_a_query_is_accepted_and_not_logged(house, room):
    with house.socket(room[0], query="?_pk=1&token=canary_in_a_query") as socket:
        assert socket.join(room[1])


def test_one_address_can_not_take_the_places_of_all_strangers(house, room):
    """The handshake says 503; Daphne can only say 403."""
    status = 403 if "daphne" in house.realtime.arguments else 503
    with ExitStack() as crowd:
        strangers = [
            crowd.enter_context(house.socket(room[0])) for _ in range(STRANGERS_OF_ONE_ADDRESS)
        ]
        with pytest.raises(InvalidStatus) as refused:
            house.socket(room[0], additional_headers={"X-Forwarded-For": "203.0.113.7"})
        assert refused.value.response.status_code == status
        place = (house.realtime.host, house.realtime.port)
        elsewhere = sockets.create_connection(place, source_address=("127.0.0.2", 0))
        with house.socket(room[0], sock=elsewhere) as socket:
            assert socket.join(room[1])
        assert strangers[0].join(room[1])
        with house.socket(room[0]) as socket:
            assert socket.join(room[1])


# -- what players see ----------------------------------------------------------------------------


def test_a_join_shows_the_room_then_the_line_then_the_player(house, room, alice):
    room_id, _ = room
    bob = player("bob")
    house.register(room_id, bob)
    assert alice.receive()["payload"]["player"]["username"] == "bob"
    assert len(alice.next("ROOM_SNAPSHOT")["payload"]["players"]) == 2
    with house.socket(room_id) as socket:
        socket.send("JOIN_ROOM", {"playerToken": bob["playerToken"]}, requestId="r1")
        snapshot, line, update = (socket.receive() for _ in range(3))
        assert (snapshot["type"], snapshot["requestId"]) == ("ROOM_SNAPSHOT", "r1")
        assert snapshot["payload"]["me"]["username"] == "bob"
        assert line["type"] == "CHAT_APPEND"
        assert line["payload"]["message"]["text"] == "bob joined the room"
        known = {one["id"] for one in snapshot["payload"]["chat"]}
        assert line["payload"]["message"]["id"] not in known
        assert (update["type"], update["payload"]["player"]["username"]) == ("PLAYER_UPDATE", "bob")
        assert [alice.receive() for _ in range(2)] == [line, update]


def test_a_second_socket_of_a_player_brings_no_second_line(house, room, alice):
    with house.socket(room[0]) as second:
        snapshot = second.join(room[1])
        second.send("SEND_CHAT", {"text": "here too"})
        alice.hear("here too")
        assert second.next("CHAT_APPEND")["payload"]["message"]["text"] == "here too"
    texts = [line["text"] for line in snapshot["chat"]]
    assert texts == ["alice joined the room"]


def test_chat_arrives_both_ways_in_order_and_stays(house, room, alice):
    room_id, token = room
    bob = player("bob", role="spectator")
    house.register(room_id, bob)
    with house.socket(room_id) as socket:
        socket.join(bob["playerToken"])
        said = [(alice, "hello"), (socket, "<b>hi</b> 'or 1=1 --"), (alice, "bye")]
        for speaker, text in said:
            speaker.send("SEND_CHAT", {"text": f"  {text} "})
            for listener in (alice, socket):
                listener.hear(text)
        counted = [frame["seq"] for frame in socket.frames if "seq" in frame]
        assert counted == sorted(set(counted))
    with house.socket(room_id) as later:
        chat = later.join(token)["chat"]
        spoken = [(line["fromUsername"], line["text"]) for line in chat if line["kind"] == "user"]
        assert spoken == [
            ("alice", "hello"),
            ("bob", "<b>hi</b> 'or 1=1 --"),
            ("alice", "bye"),
        ]


def test_chatting_too_fast_is_told_with_the_wait(alice):
    """However slowly the lines are taken: not so slowly that all of them may be said."""
    for number in range(LINES):
        alice.send("SEND_CHAT", {"text": f"line {number}"}, requestId=str(number))
    refused = alice.next("ERROR")
    assert error(refused) == "RATE_LIMITED"
    assert 2 <= int(refused["requestId"]) < LINES
    assert 0 < refused["payload"]["retryAfterMs"] <= 500


def test_who_leaves_is_gone_and_the_name_is_free(house, room, alice):
    room_id, _ = room
    bob = player("bob")
    house.register(room_id, bob)
    with house.socket(room_id) as socket:
        socket.join(bob["playerToken"])
        socket.send("LEAVE_ROOM")
        assert socket.closed() == 1000
    alice.see("bob")
    while len(alice.next("ROOM_SNAPSHOT")["payload"]["players"]) > 1:
        pass
    with house.socket(room_id) as socket:
        socket.send("JOIN_ROOM", {"playerToken": bob["playerToken"]})
        assert socket.closed() == 4001
    assert house.register(room_id, player("BOB")).status_code == 200


def hang_up(socket):
    """As a page does that is closed."""
    socket._socket.close(1001)


def break_off(socket):
    """A reset, and no close frame: as when a network is lost, or a proxy is restarted."""
    tcp = socket._socket.socket
    tcp.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    tcp.shutdown(sockets.SHUT_RD)  # this wakes its reader, who closes


@pytest.mark.parametrize(("ends", "says_goodbye"), [(hang_up, True), (break_off, False)])
def test_only_who_hangs_up_has_left(house, room, alice, ends, says_goodbye):
    kept = house.kept(room[0])
    (alice_id,) = kept.players
    ends(alice)
    until(lambda: noted(kept, "presence"))
    left = [alice_id] if says_goodbye else []
    assert [presence["left"] for presence in noted(kept, "presence")] == [left]


def noted(kept, command):
    """The commands of this name in the journal."""
    rows = kept.database.rows(
        "SELECT j.entry FROM room_journal j JOIN rooms USING (room_id)"
        " WHERE code = ? AND j.command = ? ORDER BY j.version",
        kept.room_id,
        command,
    )
    return [json.loads(entry)["command"] for (entry,) in rows]


# -- frames that should not be -------------------------------------------------------------------


def chat_of(payload):
    return f'{{"type":"SEND_CHAT","payload":{payload}}}'


BAD_FRAMES = {
    "nothing": "",
    "half an object": '{"type":',
    "null": "null",
    "an array": "[]",
    "a number": "5",
    "no type": '{"payload":{}}',
    "a type that is a number": '{"type":5}',
    "an unknown type": '{"type":"NONESUCH"}',
    "a method's name": '{"type":"__class__"}',
    "two objects": '{"type":"SEND_CHAT"}{}',
    "request id that is an object": '{"type":"SEND_CHAT","requestId":{}}',
    "no payload": '{"type":"SEND_CHAT"}',
    "payload null": chat_of("null"),
    "payload an array": chat_of('["text"]'),
    "text a number": chat_of('{"text":5}'),
    "text empty": chat_of('{"text":"  "}'),
    "text too long": chat_of(json.dumps({"text": "x" * 201})),
    "text with NUL": chat_of('{"text":"a\\u0000b"}'),
    "text with a lone surrogate": chat_of('{"text":"a\\ud800b"}'),
    "17 levels": chat_of('{"text":' + "[" * 16 + "]" * 16 + "}"),
    "30,000 levels": chat_of("[" * 30_000),
    "NaN": chat_of('{"text":"a","n":NaN}'),
    "Infinity": chat_of('{"text":"a","n":-Infinity}'),
    "1e999": chat_of('{"text":"a","n":1e999}'),
    "5,000 digits": chat_of('{"text":"a","n":' + "9" * 5000 + "}"),
}


@pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_a_bad_frame_is_refused_and_the_socket_goes_on(alice, frame):
    alice.send_raw(frame)
    assert error(alice.receive()) == "BAD_REQUEST"
    alice.send("SEND_CHAT", {"text": "still here"})
    alice.hear("still here")


def test_ten_bad_frames_are_a_flood(alice, sent):
    for _ in range(10):
        alice.send_raw("{")
    assert alice.closed() == sent(1008)
    assert [error(frame) for frame in alice.frames[-10:]] == ["BAD_REQUEST"] * 10


def test_a_binary_frame_closes(alice, sent):
    alice.send_raw(b"\x00\x01")
    assert alice.closed() == sent(1003)


def test_a_frame_over_the_limit_closes(alice, sent):
    alice.send_raw("x" * FRAME_MAX_BYTES)
    assert error(alice.receive()) == "BAD_REQUEST"
    alice.send_raw("x" * (FRAME_MAX_BYTES + 1))
    assert alice.closed() == sent(1009)


@pytest.mark.parametrize("kind", ["uvicorn"], indirect=True)
def test_bad_utf_8_closes(house, alice):
    alice.send_raw(b'{"type":"SEND_CHAT\xff"}', text=True)
    assert alice.closed() == 1007


# -- frames that are too many --------------------------------------------------------------------


def hurry(socket, count):
    """Ask so often for a match that cannot start; the request ids of frames that were too many."""
    for number in range(count):
        socket.send("START_MATCH", requestId=str(number))
    errors = [socket.next("ERROR") for _ in range(count)]
    assert {error(one) for one in errors} <= {"BAD_REQUEST", "RATE_LIMITED"}
    refused = [one for one in errors if error(one) == "RATE_LIMITED"]
    assert all(0 < one["payload"]["retryAfterMs"] <= 50 for one in refused)
    return [int(one["requestId"]) for one in refused]


def test_forty_frames_may_come_at_once_and_more_are_told_the_wait(alice):
    alice.says_nothing(for_s=0.1)  # until her JOIN_ROOM counts no more
    began = time.monotonic()
    refused = hurry(alice, 60)
    refilled = (time.monotonic() - began) * 20
    assert refused[0] >= 40
    assert len(refused) >= 60 - 40 - refilled
    alice.says_nothing(for_s=0.2)
    alice.send("SEND_CHAT", {"text": "calm again"})
    alice.hear("calm again")


def test_who_is_not_stopped_by_that_is_closed(alice, sent):
    with suppress(ConnectionClosed):
        for _ in range(300):
            alice.send("START_MATCH")
    assert alice.closed() == sent(1008)
    refused = [one for one in alice.frames if one["payload"].get("code") == "RATE_LIMITED"]
    assert len(refused) == 60


@pytest.mark.parametrize("kind", ["uvicorn"], indirect=True)
def test_a_storm_of_volatile_frames_is_thinned_and_then_closed(house):
    room_id, host = f"room-{next(numbers)}", player("alice", isHost=True)
    address = f"{house.realtime.url}/parties/chat/{room_id}/register"
    key = {"Authorization": f"Bearer {env.DEV_SERVICE_KEY}"}
    assert house.http.post(address, json=host, headers=key).status_code == 200
    with house.socket(room_id, party="chat") as socket:
        socket.join(host["playerToken"])
        with suppress(ConnectionClosed):
            for number in range(5000):
                socket.send("chat.signal", {"data": number})
        assert socket.closed() == 1008
        assert "ERROR" not in socket.kinds
        assert 60 <= socket.kinds.count("chat.signalled") < 500


def test_without_limits_nobody_is_stopped(site):
    with site.enter(site.room("alice")) as socket:
        assert hurry(socket, 600) == []


def test_runserver_serves_the_realtime_tier_too(any_migrated, tmp_path):
    with any_migrated.copy(tmp_path) as database:
        realtime = server("realtime", {**database.environ, **places()}, tmp_path)
        address = f"127.0.0.1:{realtime.port}"
        with realtime.that_runs("manage.py", "runserver", "--noreload", address):
            house, alice = Site(realtime, database), player("alice", isHost=True)
            assert house.register("room", alice).status_code == 200
            with house.socket("room") as socket:
                assert socket.join(alice["playerToken"])["me"]["username"] == "alice"


# -- on both stores ------------------------------------------------------------------------------


def test_nothing_leaves_before_its_commit(site):
    """While another writer holds the room, neither answer nor broadcast; then both, and kept."""
    host = site.room("alice")
    room_id = host["roomId"]
    kept = site.kept(room_id)
    with site.enter(host) as socket, ThreadPoolExecutor() as pool:
        socket.see("alice")
        with site.database.holding(room_id):
            before = len(socket.frames)
            socket.send("SEND_CHAT", {"text": "kept, then said"})
            joining = pool.submit(admitted, site, room_id, "bob")
            socket.says_nothing(for_s=0.4)
            assert {*socket.kinds[before:]} <= {"ERROR"}, "only a refusal may be said"
            assert not joining.done()
        says_until_heard(socket, "kept, then said")
        assert "kept, then said" in [line["text"] for line in kept.state["state"]["talk"]["chat"]]
        assert joining.result()
        assert "bob" in kept.players.values()


def admitted(site, room_id, username):
    """Join; ask again while the room is too busy to say, as a client is told to."""
    until(lambda: site.join(room_id, username).status_code == 200)
    return True


def says_until_heard(socket, text):
    """It was said already. Say it again when it was refused because the room is busy."""
    refusals = sum(kind == "ERROR" for kind in socket.kinds)
    if refusals:
        socket.send("SEND_CHAT", {"text": text})
    while (frame := socket.receive())["type"] != "CHAT_APPEND":
        if frame["type"] == "ERROR":
            assert "retryAfterMs" in frame["payload"], frame
            socket.send("SEND_CHAT", {"text": text})
    assert frame["payload"]["message"]["text"] == text


def test_whatever_is_heard_is_already_kept(site):
    """The same without a hand in it: at the moment a frame arrives, its row is there."""
    host = site.room("alice")
    kept = site.kept(host["roomId"])
    with site.enter(host) as socket:
        for number in range(20):
            assert site.join(host["roomId"], f"guest {number}").status_code == 200
            assert f"guest {number}" in kept.players.values()
            socket.see(f"guest {number}")
            assert kept.state["seq"] >= socket.frames[-1]["seq"]


def test_a_restart_loses_nothing_that_was_said(site):
    host = site.room("alice")
    with site.enter(host) as socket:
        socket.send("SEND_CHAT", {"text": "remember me"})
        socket.hear("remember me")
        site.realtime.kill()
        site.realtime.up()
        assert socket.closed() == 1006
    with site.socket(host["roomId"]) as socket:
        snapshot = socket.join(host["playerToken"])
    assert snapshot["me"]["isHost"]
    texts = [line["text"] for line in snapshot["chat"]]
    assert texts == ["alice joined the room", "remember me"]


def test_sigterm_finishes_what_was_taken_on_and_says_come_back(site):
    """Joins stream in while it stops: whatever was answered or announced is there afterwards."""
    host = site.room("alice")
    room_id = host["roomId"]
    with site.enter(host) as socket, ThreadPoolExecutor(20) as pool:
        joining = [
            pool.submit(site.join, room_id, f"guest {n}", role="spectator") for n in range(600)
        ]
        socket.see("guest 3")
        site.realtime.stop()
        assert socket.closed() == 1012
        answers = [join.result() for join in joining]
    site.realtime.up()
    assert {answer.status_code for answer in answers} == {200, 503}
    admitted = {answer.json()["playerId"] for answer in answers if answer.status_code == 200}
    updates = [frame for frame in socket.frames if frame["type"] == "PLAYER_UPDATE"]
    announced = {update["payload"]["player"]["playerId"] for update in updates}
    kept = site.kept(room_id)
    assert admitted | announced <= kept.players.keys()
    assert kept.journal == list(range(1, kept.version + 1))
