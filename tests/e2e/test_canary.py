"""No token is in a frame, a state, a log line, an answer or a page of the admin."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from tests.support import site as sites
from tests.support.canary import Canary, contents
from tests.support.databases import manage
from tests.support.node import Page

TOKEN = "pt_" + "aB3-_" * 8 + "xyz"
KEEPER = {"username": "keeper", "password": "correct horse battery"}


# -- a leak would be noticed ---------------------------------------------------------------------


@pytest.fixture
def knowing():
    """A canary that knows one token."""
    canary = Canary()
    canary.note(TOKEN)
    return canary


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f'{{"token":"{TOKEN}"}}',
        f"GET /?token={TOKEN}&x HTTP/1.1",
        f"without its prefix {TOKEN.removeprefix('pt_')}",
        f"amid-others-{TOKEN}-and-more",
        b"\x00\xff" + TOKEN.encode() + b"\xe9",
    ],
)
def test_a_token_is_seen_wherever_it_is_planted(knowing, text):
    assert knowing.seen_in("nothing here", text) == {TOKEN}


def test_what_is_no_token_is_none(knowing):
    assert knowing.seen_in(TOKEN[:-1], TOKEN[::-1], "c0ffee" * 20, b"\x00" * 99) == set()


def answering(canary, body):
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    return httpx.Client(transport=transport, event_hooks={"response": [canary.hear]})


def test_tokens_that_are_sent_or_given_are_known():
    canary, sent = Canary(), "canary_" + "0123456789abcdef" * 2
    answering(canary, {"playerToken": TOKEN}).post("http://lobby/api/rooms", json={})
    answering(canary, {"ok": True}).post("http://realtime/register", json={"playerToken": sent})
    assert canary.tokens == {TOKEN, sent}
    assert canary.seen_in(*canary.answers) == set()


def test_an_answer_that_lets_one_slip_is_heard(knowing):
    answering(knowing, {"error": {"message": f"no {TOKEN}"}}).get("http://lobby/api/rooms/A")
    assert knowing.seen_in(*knowing.answers) == {TOKEN}


@pytest.mark.parametrize("kept", ["state", "entry"])
def test_a_row_that_holds_one_is_seen(migrated, tmp_path, kept, knowing):
    with migrated.copy(tmp_path) as database:
        assert knowing.seen_in(*contents(database)) == set()
        plant(database, kept)
        assert knowing.seen_in(*contents(database)) == {TOKEN}


def plant(database, kept):
    """A token in a BLOB, or in a text."""
    leaky = json.dumps({"token": TOKEN})
    row: dict[str, Any]
    times: tuple[str, ...]
    if kept == "state":
        table, row = "rooms", {"state": leaky.encode(), "party": "leet99", "code": "AAAAAA"}
        times = ("created_at", "updated_at")
    else:
        table, row = "room_journal", {"entry": leaky, "command": "register", "actor": ""}
        times = ("at",)
    row |= {"room_id": "0" * 32, "version": 1, **dict.fromkeys(times, "2026-01-02 03:04:05+00:00")}
    places = ", ".join("?" for _ in row)
    insert = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) RETURNING version"
    assert database.rows(insert, *row.values()) == [(1,)]


# -- and there is none ---------------------------------------------------------------------------


def test_no_token_is_anywhere(site, node, canary):
    """Whatever else was handed out and shown in this run is looked at after every test, and the
    database once more in the end."""
    known = canary.tokens
    host = site.room("alice")
    room_id = host["roomId"]
    guest = site.join(room_id, "bob").json()
    given = {host["playerToken"], guest["playerToken"]}
    assert canary.tokens - known == given
    match_id = play(host, guest)
    paths = [
        f"/api/rooms/{room_id}",
        f"/api/rooms/{room_id}/matches",
        f"/api/matches/{match_id}",
        "/api/rooms",
        "/api/leaderboard",
    ]
    for path in paths:
        assert site.http.get(site.lobby.url + path).status_code == 200, path
    state = site.http.get(f"{site.realtime.url}/parties/leet99/{room_id}/state")
    assert state.status_code == 200
    with site.enter(host) as socket:
        assert json.loads(sites.heard[-1]) == socket.frames[-1]
    pages = admin_pages(site, room_id)
    assert "alice" in "".join(pages)
    logs = [site.realtime.said, site.lobby.said]
    assert match_id in "".join(sites.heard[:-1]), "the pages' frames are looked at"
    assert match_id in "".join(canary.answers)
    assert len(canary.answers) == len(paths) + 1
    assert not canary.seen_in(*sites.heard, *canary.answers, *pages, *logs)
    assert not canary.seen_in(*contents(site.database))


def play(host, guest):
    """Two pages and a match of three seconds: its id."""
    with Page().open(host) as alice, Page().open(guest) as bob:
        alice.see("alice")
        bob.see("bob")
        alice.send("UPDATE_SETTINGS", {"patch": {"matchDurationSec": 3}})
        alice.send("SEND_CHAT", {"text": "ready?"})
        bob.hear("ready?")
        bob.send("START_MATCH")
        assert bob.next("ERROR")["payload"]["code"] == "FORBIDDEN"
        alice.send("START_MATCH")
        return bob.next("MATCH_END")["payload"]["matchId"]


def admin_pages(site, room_id):
    """What somebody who may see everything is shown of a room."""
    variables = {f"DJANGO_SUPERUSER_{name.upper()}": value for name, value in KEEPER.items()}
    manage(site.database, "createsuperuser", "--noinput", "--email=keeper@example.com", **variables)
    uuid = site.database.rows("SELECT room_id FROM rooms WHERE code = ?", room_id)[0][0]
    with httpx.Client(base_url=f"{site.lobby.url}/admin/", trust_env=False) as browser:
        form = browser.get("login/").text
        hidden = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        assert hidden
        browser.post("login/", data={**KEEPER, "csrfmiddlewaretoken": hidden[1]})
        paths = ["realtime/room/", f"realtime/room/?q={room_id}", f"realtime/room/{uuid}/change/"]
        answers = [browser.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.text for answer in answers]
