"""The admin shows rooms, keeps secrets, and changes nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from realtime.admin import JOURNAL_SHOWN
from realtime.models import JournalEntry, Room, Seat

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.lobby_urls")]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET_STATE = b'{"secret":"in the state"}'
SECRET_ENTRY = '{"secret":"in the journal"}'
TOKEN_HASH = "c0ffee" * 10


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
