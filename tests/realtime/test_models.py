"""The tables hold what the second system's services expect, and its defaults."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection

from realtime.models import JournalEntry, Match, MatchPlayer, Room, Seat

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def room():
    return Room.objects.create(
        party="classic", code="K7PQ2M", version=1, state=b"{}", created_at=NOW, updated_at=NOW
    )


def test_an_inserted_row_gets_the_defaults_from_the_database(room):
    room.refresh_from_db()
    assert (room.visibility, room.status, room.phase) == ("private", "open", "lobby")
    assert (room.max_players, room.ruleset_id, room.ruleset_config) == (4, "classic", {})
    assert room.alarms_parked == 0


def test_an_empty_seat_names_nobody(room):
    for index in range(4):
        Seat.objects.create(room=room, seat_index=index, status="empty")
    assert not Seat.objects.filter(player_id__isnull=False).exists()


@pytest.mark.parametrize(
    "broken", [{"status": "lost"}, {"visibility": "secret"}, {"players": 5, "max_players": 4}]
)
def test_the_database_refuses_what_no_room_can_be(room, broken):
    with pytest.raises(IntegrityError):
        Room.objects.filter(pk=room.pk).update(**broken)


def test_a_journal_holds_each_version_once(room):
    def turn():
        return JournalEntry(room=room, version=1, at=NOW, command="Register", entry="{}")

    turn().save(force_insert=True)
    with pytest.raises(IntegrityError):
        turn().save(force_insert=True)


def test_deleting_a_room_deletes_what_belongs_to_it(room):
    Seat.objects.create(room=room, seat_index=0, status="empty")
    JournalEntry.objects.create(room=room, version=1, at=NOW, command="Register", entry="{}")
    room.delete()
    assert not Seat.objects.exists()
    assert not JournalEntry.objects.exists()


@pytest.fixture
def match(room):
    match = Match.objects.create(
        match_id="m1",
        room_id=room.room_id,
        party=room.party,
        code=room.code,
        start_at=NOW,
        end_at=NOW,
        end_reason="finished",
        settings={},
    )
    MatchPlayer.objects.create(
        match=match, place=1, rank=1, player_id="p_a", username="alice", role="player", score=7
    )
    return match


def test_a_match_outlives_its_room(room, match):
    room.delete()
    assert [player.username for player in Match.objects.get().players.all()] == ["alice"]


def test_a_match_names_a_player_once(match):
    with pytest.raises(IntegrityError):
        MatchPlayer(
            match=match, place=2, rank=2, player_id="p_a", username="bob", role="player", score=3
        ).save(force_insert=True)


def test_deleting_a_match_deletes_its_standings(match):
    match.delete()
    assert not MatchPlayer.objects.exists()


def test_deleting_somebody_leaves_the_rooms(room):
    owner = get_user_model().objects.create_user("alice")
    Room.objects.filter(pk=room.pk).update(owner_user=owner)
    owner.delete()
    room.refresh_from_db()
    assert room.owner_user is None


def test_a_person_has_a_name_to_show():
    alice = get_user_model()(username="alice")
    assert alice.get_full_name() == "alice"
    alice.display_name = "Alice"
    assert alice.get_short_name() == "Alice"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("users", {"user_id", "external_id", "display_name"}),
        ("rooms", {"room_id", "owner_user_id", "ruleset_id", "ruleset_config", "expires_at"}),
        ("room_seats", {"room_id", "seat_index", "user_id", "is_host", "ready", "status"}),
        ("room_journal", {"room_id", "version", "at", "command", "actor", "entry"}),
        ("matches", {"match_id", "room_id", "start_at", "end_at", "end_reason", "settings"}),
        (
            "match_players",
            {"match_id", "party", "player_id", "username", "place", "rank", "role", "score"},
        ),
    ],
)
def test_tables_and_columns_have_the_names_that_others_read(table, expected):
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, table)
    assert expected <= {column.name for column in columns}
