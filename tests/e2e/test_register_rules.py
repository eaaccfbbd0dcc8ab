"""protocol's register rules, in their order, over HTTP through both tiers."""

from __future__ import annotations

import re
from secrets import token_urlsafe

from tests.support.databases import manage
from tests.support.site import player, refusal

TAKEN, UNAUTHORIZED = (409, "USERNAME_TAKEN"), (401, "UNAUTHORIZED")


def test_a_room_is_created_joined_and_counted(site):
    host = site.room("alice", playerCap=5)
    guest = site.join(host["roomId"], "bob")
    assert guest.status_code == 200
    assert guest.headers["cache-control"] == "no-store"
    assert (host["isHost"], guest.json()["isHost"]) == (True, False)
    assert guest.json()["settings"] == host["settings"]
    assert guest.json()["wsUrl"] == host["wsUrl"]
    summary = site.summary(host["roomId"]).json()
    assert (summary["phase"], summary["counts"]) == ("lobby", {"players": 2, "spectators": 0})


def test_nobody_joins_before_the_create(site):
    assert refusal(site.join("ZZZZZZ", "alice")) == (404, "ROOM_NOT_FOUND")
    assert not site.kept("ZZZZZZ").exists


def test_a_name_is_taken_whatever_its_case_and_role(site):
    room_id = site.room("alice")["roomId"]
    for name, role in [("ALICE", "spectator"), ("ａｌｉｃｅ", "player"), (" alice ", "player")]:
        assert refusal(site.join(room_id, name, role)) == TAKEN
    assert list(site.kept(room_id).players.values()) == ["alice"]


def test_a_cap_of_one_is_full_with_its_host(site):
    room_id = site.room("alice", playerCap=1)["roomId"]
    assert refusal(site.join(room_id, "bob")) == (409, "ROOM_FULL")
    assert site.join(room_id, "carol", "spectator").status_code == 200


def test_the_start_closes_the_room_to_players_but_not_to_spectators(site):
    host = site.room("alice", playerCap=2)
    site.join(host["roomId"], "bob")
    with site.enter(host) as socket:
        socket.send("START_MATCH")
        socket.next("MATCH_STARTED")
    assert refusal(site.join(host["roomId"], "carol")) == (409, "MATCH_ALREADY_STARTED")
    assert site.join(host["roomId"], "carol", "spectator").status_code == 200


def test_the_refusals_come_in_the_order_of_the_rules(site):
    """One room in which every refusal is due; each test of a rule hides those after it."""
    host = site.room("alice", playerCap=2)
    room_id = host["roomId"]
    assert site.join(room_id, "bob").status_code == 200
    assert refusal(site.join(room_id, "alice")) == TAKEN  # and the room is full
    with site.enter(host) as socket:
        socket.send("START_MATCH")
        socket.next("MATCH_STARTED")
    assert refusal(site.join(room_id, "alice")) == (409, "MATCH_ALREADY_STARTED")
    again = player("alice", isHost=True)
    assert refusal(site.register(room_id, again)) == (409, "ROOM_ALREADY_EXISTS")
    assert refusal(site.register(room_id, player("", isHost=True))) == (400, "BAD_REQUEST")
    assert refusal(site.register("ZZZZZZ", player("alice"))) == (404, "ROOM_NOT_FOUND")
    assert refusal(site.register("ZZZZZZ", player(""))) == (400, "BAD_REQUEST")
    assert refusal(site.register(room_id, player(""), key="wrong-key")) == UNAUTHORIZED


def test_a_host_does_not_take_over_a_living_room(site):
    host = site.room("alice")
    taker = player("mallory", isHost=True)
    assert refusal(site.register(host["roomId"], taker)) == (409, "ROOM_ALREADY_EXISTS")
    with site.enter(host) as socket:
        assert [one["username"] for one in socket.frames[-1]["payload"]["players"]] == ["alice"]
        assert socket.frames[-1]["payload"]["me"]["isHost"]
    with site.socket(host["roomId"]) as socket:
        socket.send("JOIN_ROOM", {"playerToken": taker["playerToken"]})
        assert socket.closed() == 4001


def test_a_failed_create_leaves_nothing_behind(site):
    rooms = site.database.rows("SELECT count(*) FROM rooms")
    refused = site.create("alice", settings={"playerCap": 100})
    assert refusal(refused) == (400, "BAD_REQUEST")
    assert refused.json()["error"]["details"][0]["path"] == "settings.playerCap"
    assert refusal(site.create("")) == (400, "BAD_REQUEST")
    assert refusal(site.create("x" * 17)) == (400, "BAD_REQUEST")
    spectator = player("alice", isHost=True, role="spectator")
    assert refusal(site.register("YYYYYY", spectator)) == (400, "BAD_REQUEST")
    capped = player("alice", isHost=True, settings={"playerCap": 0})
    assert refusal(site.register("YYYYYY", capped)) == (400, "BAD_REQUEST")
    assert site.database.rows("SELECT count(*) FROM rooms") == rooms


def test_the_same_player_asking_again_gets_the_same_answer(site):
    room_id = site.room("alice", playerCap=2)["roomId"]
    bob = player("bob")
    first = site.register(room_id, bob)
    again = site.register(room_id, bob)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    other_token = {**bob, "playerToken": "pt_" + token_urlsafe(32)}
    for other in (other_token, {**bob, "username": "robert"}):
        assert refusal(site.register(room_id, other)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(site.kept(room_id).players) == 2


def test_the_same_key_gives_the_same_answer_through_the_lobby(site):
    key, other_key = token_urlsafe(32), token_urlsafe(32)
    created = site.create("alice", key=key, settings={"playerCap": 2})
    assert site.create("alice", key=key, settings={"playerCap": 2}).json() == created.json()
    assert refusal(site.create("bob", key=key)) == (422, "IDEMPOTENCY_KEY_REUSED")
    room_id = created.json()["roomId"]
    joined = site.join(room_id, "bob", key=other_key)
    assert site.join(room_id, "bob", key=other_key).json() == joined.json()
    assert refusal(site.join(room_id, "carol", key=other_key)) == (422, "IDEMPOTENCY_KEY_REUSED")
    with site.enter(created.json()) as socket:  # the repeat counts in any phase
        socket.send("START_MATCH")
        socket.next("MATCH_STARTED")
    assert site.join(room_id, "bob", key=other_key).json() == joined.json()


def csrf_token(form):
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert found
    return found[1]


def test_the_admin_shows_the_room_read_only_and_no_token(site):
    host = site.room("alice")
    guest = site.join(host["roomId"], "bob").json()
    manage(
        site.database,
        "createsuperuser",
        "--noinput",
        "--username=root",
        "--email=root@example.org",
        DJANGO_SUPERUSER_PASSWORD="correct horse battery staple",
    )
    admin = site.lobby.url + "/admin/"
    login = site.http.get(admin + "login/")
    signed_in = site.http.post(
        admin + "login/",
        data={
            "username": "root",
            "password": "correct horse battery staple",
            "csrfmiddlewaretoken": csrf_token(login.text),
        },
    )
    assert signed_in.status_code == 302
    rooms = site.http.get(admin + f"realtime/room/?q={host['roomId']}").text
    assert host["roomId"] in rooms
    link = re.search(r'href="(/admin/realtime/room/[^"?]+/change/)', rooms)
    assert link
    page = site.http.get(site.lobby.url + link[1]).text
    assert "alice" in page
    assert "bob" in page
    assert 'name="_save"' not in page
    assert "/delete/" not in page
    assert "/room/add/" not in rooms
    for secret in (host["playerToken"], guest["playerToken"]):
        assert secret not in page + rooms
