"""Callers who vanish in the middle, and ids that were taken before them."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable
from secrets import token_urlsafe
from urllib.parse import urlsplit

from config.env import DEV_SECRET_KEY, DEV_SERVICE_KEY
from lobby.ids import by_key
from tests.support.servers import until
from tests.support.site import Site, player, refusal

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: nothing is waited for, the peer gets RST


def asks_and_vanishes(site: Site, room_id: str, body: dict, after: int | None = None) -> None:
    """Send a register, or the first bytes of it, and be gone before there is an answer."""
    url, encoded = urlsplit(site.realtime.url), json.dumps(body).encode()
    head = (
        f"POST /parties/leet99/{room_id}/register HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Authorization: Bearer {DEV_SERVICE_KEY}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(encoded)}\r\n\r\n"
    )
    with socket.create_connection((url.hostname, url.port)) as line:
        line.sendall((head.encode() + encoded)[:after])
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def test_a_caller_who_vanishes_is_in_the_room_or_left_no_trace(site):
    host = site.room("alice")
    room_id = host["roomId"]
    bodies = [player(f"caller{n}") for n in range(30)]
    for number, body in enumerate(bodies):
        asks_and_vanishes(site, room_id, body, after=None if number % 3 else -10)
    assert site.join(room_id, "last").status_code == 200
    kept = site.kept(room_id)
    until(lambda: kept.version == len(kept.journal))
    names = {*kept.players.values()}
    assert names == {one["username"] for one in kept.state["roster"]["players"].values()}
    for body in bodies:  # whoever is in is recognised, whoever is not is let in now
        assert site.register(room_id, body).status_code == 200
    assert len(kept.players) == 32


def test_a_player_who_vanishes_after_a_word_has_said_it_once_or_not(site):
    host = site.room("alice")
    room_id = host["roomId"]
    bob = site.join(room_id, "bob").json()
    with site.enter(bob) as listener:
        for number in range(10):
            voice = site.enter(host)
            voice.send("SEND_CHAT", {"text": f"word {number}"})
            line = voice._socket.socket
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            line.close()
        listener.send("SEND_CHAT", {"text": "that was all"})
        listener.hear("that was all")
        chats = [frame for frame in listener.frames if frame["type"] == "CHAT_APPEND"]
        heard = words(frame["payload"]["message"] for frame in chats)
        kept = words(listener.join(bob["playerToken"])["chat"])
    assert len(kept) == len({*kept})
    assert heard == kept


def words(lines: Iterable[dict]) -> list[str]:
    return [line["text"] for line in lines if line["text"].startswith("word")]


def test_a_room_id_that_is_taken_leaves_its_room_alone(site):
    """The ids of a key are known to who knows the secret, so the collision can be arranged."""
    key = token_urlsafe(32)
    first, second, *_ = (
        by_key(DEV_SECRET_KEY.encode(), key, "leet99", "/api/rooms").room_id(attempt)
        for attempt in range(5)
    )
    owner = player("owner", isHost=True)
    assert site.register(first, owner).status_code == 200
    before = site.kept(first).state
    created = site.create("alice", key=key)
    assert created.status_code == 201
    assert created.json()["roomId"] == second
    assert site.kept(first).state == before
    assert refusal(site.join(second, "alice")) == (409, "USERNAME_TAKEN")
