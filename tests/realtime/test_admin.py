"""The admin shows rooms, keeps secrets, and changes nothing but by commands to the rooms."""

import dataclasses
import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from realtime.admin.asking import AT_ONCE
from realtime.admin.controls import CHOSEN_MAX
from realtime.admin.rooms import JOURNAL_SHOWN
from realtime.models import JournalEntry, Room, Seat
from tests.support.faulty_realtime import (
    FaultyRealtime,
    answer,
    hangs_up,
    refusal,
    refused,
    says,
    silent,
)

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.lobby_urls")]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET_STATE = b'{"secret":"in the state"}'
SECRET_ENTRY = '{"secret":"in the journal"}'
TOKEN_HASH = "c0ffee" * 10
PATIENCE_S = 5.0
LITTLE_PATIENCE_S = 0.5
obeys = says(answer("200 OK", b'{"ok":true}'))


def slow(connection, server):
    """Obeys after a while, though each time within LITTLE_PATIENCE_S."""
    server.closing.wait(LITTLE_PATIENCE_S / 10)
    obeys(connection, server)


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Django's own way to hash them takes most of a test's time, and is Django's to test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def room():
    room = Room.objects.create(
        party="leet99",
        code="K7PQ2M",
        max_players=8,
        players=2,
        spectators=1,
        ruleset_config={"playerCap": 8},
        version=250,
        state=SECRET_STATE,
        created_at=NOW,
        updated_at=NOW,
    )
    Seat.objects.create(
        room=room,
        player_id="p_alice",
        username="Alice <b>",
        username_key="alice <b>",
        role="player",
        is_host=True,
        token_hash=TOKEN_HASH,
        joined_at=NOW,
    )
    JournalEntry.objects.bulk_create(
        JournalEntry(
            room=room,
            version=version,
            at=NOW + timedelta(seconds=version),
            command=f"Command{version}",
            actor="p_alice",
            entry=SECRET_ENTRY,
        )
        for version in range(1, 251)
    )
    return room


@pytest.fixture
def page(admin_client):
    def fetch(name, *arguments, **query):
        response = admin_client.get(reverse(f"admin:realtime_{name}", args=arguments), query)
        assert response.status_code == 200
        return response.content.decode()

    return fetch


def test_rooms_are_listed(room, page):
    listed = page("room_changelist")
    assert "K7PQ2M" in listed
    assert "2 of 8 + 1 watching" in listed


def test_rooms_are_found_by_code(room, page):
    assert "1 room" in page("room_changelist", q="k7pq")
    assert "0 rooms" in page("room_changelist", q="ZZZZZZ")


@pytest.mark.parametrize("column", ["party", "status", "phase", "visibility"])
def test_rooms_are_filtered(room, page, column):
    assert "1 room" in page("room_changelist", **{column: str(getattr(room, column))})


def test_a_list_of_rooms_reads_neither_states_nor_rosters(room, page):
    with CaptureQueriesContext(connection) as asked:
        page("room_changelist")
    about_rooms = [query["sql"] for query in asked if "rooms" in query["sql"]]
    assert about_rooms
    assert not [sql for sql in about_rooms if '"state"' in sql or "room_seats" in sql]


def test_a_room_shows_its_roster(room, page):
    shown = page("room_change", room.pk)
    assert "Alice &lt;b&gt;" in shown
    assert "p_alice" in shown


def test_a_room_shows_the_end_of_its_journal(room, page):
    shown = page("room_change", room.pk)
    assert "Command250" in shown
    assert f"Command{250 - JOURNAL_SHOWN + 1}" in shown
    assert f"Command{250 - JOURNAL_SHOWN}" not in shown


def test_a_room_is_read_in_a_few_queries(room, page, django_assert_max_num_queries):
    with django_assert_max_num_queries(10):
        page("room_change", room.pk)


def test_secrets_stay_where_they_are(room, page):
    shown = page("room_change", room.pk) + page("room_changelist")
    for secret in ("in the state", "in the journal", TOKEN_HASH):
        assert secret not in shown


def test_nobody_adds_changes_or_deletes_a_room(room, admin_client):
    change = reverse("admin:realtime_room_change", args=[room.pk])
    delete = reverse("admin:realtime_room_delete", args=[room.pk])
    assert admin_client.get(reverse("admin:realtime_room_add")).status_code == 403
    assert admin_client.post(change, {"code": "AAAAAA"}).status_code == 403
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [room.pk], "post": "yes"}
    admin_client.post(reverse("admin:realtime_room_changelist"), chosen)
    assert Room.objects.get().code == "K7PQ2M"
    assert JournalEntry.objects.count() == 250


def test_a_visitor_sees_nothing(room, client):
    response = client.get(reverse("admin:realtime_room_changelist"))
    assert response.status_code == 302
    assert "/admin/login/" in response["Location"]


def test_createsuperuser_makes_somebody_who_can_sign_in(client, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery")
    call_command("createsuperuser", username="root", email="root@example.com", interactive=False)
    assert client.login(username="root", password="correct horse battery")
    assert client.get(reverse("admin:index")).status_code == 200


def test_people_are_added_and_changed(page, admin_client):
    passwords = {"password1": "correct horse battery", "password2": "correct horse battery"}
    new = {"username": "alice", "usable_password": "true", **passwords}
    assert admin_client.post(reverse("admin:realtime_user_add"), new).status_code == 302
    alice = get_user_model().objects.get(username="alice")
    shown = page("user_change", alice.pk)
    assert str(alice.user_id) in shown
    assert alice.password not in shown
    assert "alice" in page("user_changelist")


class Staff:
    """Somebody signed in as carol, who chooses actions and reads what came of them."""

    def __init__(self, client, *permissions):
        self._client = client
        carol = get_user_model().objects.create_user("carol", is_staff=True)
        carol.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(carol)

    def orders(self, action, *rows, everywhere=False, model="room"):
        """Choose an action for these rows, or then for all there are. What the page then says."""
        path = reverse(f"admin:realtime_{model}_changelist")
        chosen = {"_selected_action": [row.pk for row in rows], "select_across": int(everywhere)}
        page = self._read(self._client.post(path, {"action": action, **chosen}, follow=True))
        return re.findall(r'<li class="(?:success|warning|error)">(.*?)</li>', page)

    def offered(self, model):
        """The actions in a list."""
        page = self._read(self._client.get(reverse(f"admin:realtime_{model}_changelist")))
        return re.findall(r'<option value="(\w+)">', page)

    def history(self, room):
        """Who asked what of a room, as the page that its own links to says."""
        shown = self._read(self._client.get(reverse("admin:realtime_room_change", args=[room.pk])))
        history = reverse("admin:realtime_room_history", args=[room.pk])
        assert f'href="{history}"' in shown
        page = self._read(self._client.get(history))
        return re.findall(r"<td>(.*?)</td>\s*<td>(.*?)</td>", page)

    def _read(self, answer):
        assert answer.status_code == 200
        return answer.content.decode()


@pytest.fixture
def viewer(client):
    return Staff(client, "view_room", "view_seat")


@pytest.fixture
def carol(client):
    return Staff(client, "view_room", "view_seat", "change_room")


@pytest.fixture
def bob(room):
    return Seat.objects.create(room=room, player_id="p_bob", username="bob", role="player")


@pytest.fixture
def realtime(settings):
    """Runs a realtime service with this fault."""

    @contextmanager
    def run(fault, patience_s=PATIENCE_S):
        with FaultyRealtime(fault) as server:
            settings.GREENROOM = with_realtime(settings.GREENROOM, server.url, patience_s)
            yield server

    return run


def with_realtime(environment, url, patience_s):
    return dataclasses.replace(
        environment,
        realtime_urls=(url,),
        realtime_connect_timeout_s=patience_s,
        realtime_try_timeout_s=patience_s,
        realtime_total_timeout_s=patience_s,
    )


def rooms(count):
    common = {"party": "leet99", "version": 1, "state": b"{}"}
    times = {"created_at": NOW, "updated_at": NOW}
    return Room.objects.bulk_create(
        Room(code=f"ROOM{number:04}", **common, **times) for number in range(count)
    )


def bodies(server):
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in server.requests]


def test_who_may_only_view_is_offered_no_actions(room, bob, viewer):
    assert viewer.offered("room") == viewer.offered("seat") == []


def test_who_may_only_view_commands_nothing(room, bob, viewer, realtime):
    with realtime(obeys) as server:
        for action in ("close_rooms", "retry_alarms"):
            assert viewer.orders(action, room) == []
        assert viewer.orders("remove_members", bob, model="seat") == []
        assert viewer.orders("close_rooms", room, everywhere=True) == []
    assert server.requests == []
    assert viewer.history(room) == []


def test_who_may_change_rooms_is_offered_the_actions(room, bob, carol):
    assert carol.offered("room") == ["close_rooms", "retry_alarms"]
    assert carol.offered("seat") == ["remove_members"]


def test_who_may_change_rooms_commands_them(room, bob, carol, realtime):
    with realtime(obeys) as server:
        assert carol.orders("close_rooms", room) == ["Done: 1"]
        assert carol.orders("retry_alarms", room) == ["Done: 1"]
        assert carol.orders("remove_members", bob, model="seat") == ["Done: 1"]
    assert bodies(server) == [
        {"action": "close"},
        {"action": "retry-alarms"},
        {"action": "remove", "playerId": "p_bob"},
    ]


def test_the_history_of_a_room_says_who_asked_what(room, bob, carol, realtime):
    with realtime(obeys):
        carol.orders("remove_members", bob, model="seat")
        carol.orders("close_rooms", room)
    history = carol.history(room)
    assert {who.split()[0] for who, _ in history} == {"carol"}
    assert {asked for _, asked in history} == {"Remove bob (p_bob): done", "Close: done"}


def test_two_hundred_rooms_are_commanded_at_a_time(carol, realtime):
    first, *_ = rooms(CHOSEN_MAX)
    with realtime(obeys) as server:
        assert carol.orders("close_rooms", first, everywhere=True) == [f"Done: {CHOSEN_MAX}"]
    assert len({request.split()[1] for request in server.requests}) == CHOSEN_MAX
    assert LogEntry.objects.count() == CHOSEN_MAX


def test_of_more_rooms_none_is_commanded(carol, realtime):
    first, *_ = rooms(CHOSEN_MAX + 1)
    with realtime(obeys) as server:
        said = carol.orders("close_rooms", first, everywhere=True)
    assert said == ["More than 200 are chosen: nothing was asked."]
    assert server.requests == []


def test_after_the_first_silence_no_room_is_asked(carol, realtime):
    first, *_ = rooms(45)
    with realtime(silent, LITTLE_PATIENCE_S) as server:
        *silences, left = carol.orders("close_rooms", first, everywhere=True)
    assert len(server.requests) == len(silences) == AT_ONCE
    assert all(said.endswith("did not answer in time") for said in silences)
    assert left == "The other 37 were not asked."


def test_a_service_that_says_it_stops_is_not_asked_for_every_room(carol, realtime):
    first, *_ = rooms(AT_ONCE + 1)
    draining = says(refusal("503 Service Unavailable", "REALTIME_UNAVAILABLE"))
    with realtime(draining):
        *refusals, left = carol.orders("close_rooms", first, everywhere=True)
    assert len(refusals) == AT_ONCE
    assert left == "The other one was not asked."


def test_a_service_that_is_not_there_is_not_asked_for_every_room(carol, settings):
    first, *_ = rooms(AT_ONCE + 1)
    with refused() as url:
        settings.GREENROOM = with_realtime(settings.GREENROOM, url, PATIENCE_S)
        *silences, left = carol.orders("close_rooms", first, everywhere=True)
    assert len(silences) == AT_ONCE
    assert left == "The other one was not asked."


def test_a_slow_service_is_not_asked_for_ever(carol, realtime):
    first, *_ = rooms(CHOSEN_MAX)
    with realtime(slow, LITTLE_PATIENCE_S) as server:
        left, done = carol.orders("close_rooms", first, everywhere=True)
    assert done == f"Done: {len(server.requests)}"
    assert left == f"The other {CHOSEN_MAX - len(server.requests)} were not asked."


def test_silence_is_in_the_history_for_the_room_may_be_closed(room, carol, realtime):
    with realtime(silent, LITTLE_PATIENCE_S):
        carol.orders("close_rooms", room)
    ((_, asked),) = carol.history(room)
    assert asked == "Close: The realtime service did not answer in time"


def test_a_room_that_a_lost_answer_closed_is_closed_already(room, carol, realtime):
    answers = iter([hangs_up, says(refusal("404 Not Found", "ROOM_NOT_FOUND"))])
    with realtime(lambda connection, server: next(answers)(connection, server)):
        said = carol.orders("close_rooms", room)
    assert said == ["Room leet99/K7PQ2M: Room not found: it is closed already"]
    ((_, asked),) = carol.history(room)
    assert asked == "Close: Room not found: it is closed already"


def test_somebody_whom_a_lost_answer_removed_is_no_member_any_more(bob, carol, realtime):
    with realtime(says(refusal("404 Not Found", "PLAYER_NOT_FOUND"))):
        said = carol.orders("remove_members", bob, model="seat")
    assert said == ["Room leet99/K7PQ2M: Player not found: no member any more"]


@pytest.mark.parametrize(
    "problem",
    [OperationalError("database or disk is full"), InterfaceError("connection already closed")],
)
def test_what_was_done_is_said_though_no_history_can_be_written(room, carol, realtime, problem):
    def unwritable(execute, sql, *more):
        if sql.startswith('INSERT INTO "django_admin_log"'):
            raise problem
        return execute(sql, *more)

    with realtime(obeys), connection.execute_wrapper(unwritable):
        said = carol.orders("close_rooms", room)
    assert said == ["The histories could not be written.", "Done: 1"]
