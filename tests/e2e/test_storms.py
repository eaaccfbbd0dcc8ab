"""Many callers at the same moment: the rules hold, and the cost stays in proportion."""

from __future__ import annotations

import asyncio
from collections import Counter
from secrets import token_urlsafe

from tests.support.crowd import LAST_WORD, join_at_once
from tests.support.site import player, refusal, together

REFRESH_INTERVAL_S = 0.25
SOCKETS, MANY_SOCKETS = 300, 1000


def test_300_joins_fill_99_places_and_no_more(site):
    room_id = site.room("alice", playerCap=99)["roomId"]
    answers = together(lambda number: site.join(room_id, f"player {number}"), range(300))
    assert Counter(answer.status_code for answer in answers) == {200: 98, 409: 202}
    refusals = {refusal(answer) for answer in answers if answer.status_code != 200}
    assert refusals == {(409, "ROOM_FULL")}
    kept = site.kept(room_id)
    admitted = {answer.json()["playerId"] for answer in answers if answer.status_code == 200}
    assert len(kept.players) == 99
    assert admitted < kept.players.keys()
    assert kept.journal == list(range(1, kept.version + 1))


def test_one_name_is_given_once(site):
    room_id = site.room("alice")["roomId"]
    spellings = ["Zoë", "ZOË", "zoe\u0308", "Ｚｏë"] * 8
    answers = together(lambda name: site.join(room_id, name), spellings)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 31}


def test_equal_creates_at_once_make_one_room(site):
    key = token_urlsafe(32)
    before = site.database.rows("SELECT count(*) FROM rooms")[0][0]
    answers = together(lambda _: site.create("alice", key=key), range(20))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert site.database.rows("SELECT count(*) FROM rooms")[0][0] == before + 1


def test_many_sockets_do_not_cost_their_square_in_snapshots(site, long):
    """But one each, and as many as the time allows that they took in this run."""
    host = site.room("alice")
    room_id, count = host["roomId"], MANY_SOCKETS if long else SOCKETS
    crowd = [player(f"spectator {n}", role="spectator") for n in range(count)]
    registered = together(lambda one: site.register(room_id, one), crowd, at_once=50)
    assert {answer.status_code for answer in registered} == {200}
    with site.enter(host) as socket:
        tally = asyncio.run(
            join_at_once(
                host["wsUrl"],
                [one["playerToken"] for one in crowd],
                lambda: socket.send("SEND_CHAT", {"text": LAST_WORD}),
            )
        )
    refreshes = 1 + tally.all_s / REFRESH_INTERVAL_S
    assert count <= tally.snapshots <= count + refreshes * count, tally
