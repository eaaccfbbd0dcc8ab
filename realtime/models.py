"""The tables, as the ORM sees them. The store alone writes rooms, seats, journal and matches."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class Visibility(models.TextChoices):
    """Whether a room is listed."""

    PUBLIC = "public"
    PRIVATE = "private"


class RoomStatus(models.TextChoices):
    """Whether a room takes players, is busy, or is over."""

    OPEN = "open"
    IN_GAME = "in_game"
    CLOSED = "closed"


class SeatStatus(models.TextChoices):
    """Whether somebody holds the seat."""

    EMPTY = "empty"
    OCCUPIED = "occupied"


class Readiness(models.TextChoices):
    """What a player has said about starting."""

    NOT_READY = "not_ready"
    READY = "ready"


class Role(models.TextChoices):
    """What a member of the roster is."""

    PLAYER = "player"
    SPECTATOR = "spectator"
    BOT = "bot"


class User(AbstractUser):
    """Somebody who signs in: an administrator, or an identity that another service vouches for."""

    user_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    external_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    display_name = models.CharField(max_length=150, blank=True, default="", db_default="")
    first_name = None  # type: ignore[assignment]  # Django's way to leave a field out
    last_name = None  # type: ignore[assignment]

    class Meta:
        db_table = "users"

    def get_full_name(self) -> str:
        return self.display_name or self.username

    def get_short_name(self) -> str:
        return self.get_full_name()


class Room(models.Model):
    """One room: its committed state, and the columns that listings and the admin read from it."""

    room_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    party = models.CharField(max_length=64)
    code = models.CharField(max_length=64)
    owner_user = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    visibility = models.CharField(
        max_length=16, choices=Visibility.choices, db_default=Visibility.PRIVATE
    )
    status = models.CharField(max_length=16, choices=RoomStatus.choices, db_default=RoomStatus.OPEN)
    phase = models.CharField(max_length=32, db_default="lobby")
    max_players = models.PositiveIntegerField(db_default=4)
    ruleset_id = models.CharField(max_length=64, db_default="classic")
    ruleset_config = models.JSONField(db_default=models.Value({}, models.JSONField()))
    version = models.PositiveBigIntegerField()
    tag = models.BigIntegerField(db_default=0)  # of the last commit: tells histories apart
    seq = models.PositiveBigIntegerField(db_default=0)
    state = models.BinaryField()
    alarm_at = models.DateTimeField(null=True, blank=True)
    alarms_parked = models.PositiveIntegerField(db_default=0)
    players = models.PositiveIntegerField(db_default=0)
    spectators = models.PositiveIntegerField(db_default=0)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "rooms"
        constraints = [
            models.UniqueConstraint(fields=["party", "code"], name="rooms_party_code"),
            models.CheckConstraint(
                condition=models.Q(visibility__in=Visibility.values), name="rooms_visibility"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=RoomStatus.values), name="rooms_status"
            ),
            models.CheckConstraint(
                condition=models.Q(players__lte=models.F("max_players")), name="rooms_cap"
            ),
        ]
        indexes = [
            models.Index(
                fields=["alarm_at"],
                condition=models.Q(alarm_at__isnull=False),
                name="rooms_alarm_at",
            ),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(expires_at__isnull=False),
                name="rooms_expires_at",
            ),
            models.Index(
                fields=["party", "-room_id"],
                condition=models.Q(visibility=Visibility.PUBLIC)
                & ~models.Q(status=RoomStatus.CLOSED),
                name="rooms_listed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party}/{self.code}"


class Seat(models.Model):
    """One member of a room's roster. The constraints are the last line of defence."""

    room = models.ForeignKey(Room, models.CASCADE, db_index=False, related_name="seats")
    seat_index = models.PositiveSmallIntegerField(null=True, blank=True)
    status = models.CharField(
        max_length=16, choices=SeatStatus.choices, db_default=SeatStatus.OCCUPIED
    )
    user = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    is_host = models.BooleanField(db_default=False)
    ready = models.CharField(
        max_length=16, choices=Readiness.choices, db_default=Readiness.NOT_READY
    )
    # Null in an empty seat; a bot has no token. SQL holds nulls apart, so none of them collide.
    player_id = models.CharField(max_length=128, null=True, blank=True)
    username = models.CharField(max_length=128, null=True, blank=True)
    username_key = models.TextField(null=True, blank=True)
    role = models.CharField(max_length=16, choices=Role.choices, null=True, blank=True)
    token_hash = models.CharField(max_length=64, null=True, blank=True)
    joined_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "room_seats"
        constraints = [
            models.UniqueConstraint(fields=["room", "player_id"], name="room_seats_player"),
            models.UniqueConstraint(fields=["room", "username_key"], name="room_seats_username"),
            models.UniqueConstraint(fields=["room", "token_hash"], name="room_seats_token"),
            models.UniqueConstraint(fields=["room", "seat_index"], name="room_seats_index"),
            models.UniqueConstraint(
                fields=["room"], condition=models.Q(is_host=True), name="room_seats_one_host"
            ),
        ]

    def __str__(self) -> str:
        return self.username or f"seat {self.seat_index}"


class JournalEntry(models.Model):
    """One kept turn of a room."""

    pk = models.CompositePrimaryKey("room_id", "version")
    # The writer inserts entries beside the room's own row, in one statement: a foreign key could
    # only repeat that, at the price of a query for each entry.
    room = models.ForeignKey(
        Room, models.CASCADE, db_index=False, db_constraint=False, related_name="journal"
    )
    version = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    command = models.CharField(max_length=64)
    actor = models.CharField(max_length=128, blank=True)
    # JSON as it was written. A JSON column would round its numbers and refuse "\u0000", and the
    # turn could not be run again.
    entry = models.TextField()
    tag = models.BigIntegerField(db_default=0)  # of the commit that kept it

    class Meta:
        db_table = "room_journal"
        verbose_name_plural = "journal"

    def __str__(self) -> str:
        return f"{self.version} {self.command}"


class Process(models.Model):
    """A realtime process that shares the database with others."""

    process_id = models.CharField(max_length=32, primary_key=True)
    expires_at = models.DateTimeField()  # by the database's clock; after it, it is taken for dead

    class Meta:
        db_table = "realtime_processes"
        verbose_name_plural = "processes"

    def __str__(self) -> str:
        return self.process_id


class Match(models.Model):
    """A finished match. It outlives its room, whose code may come to name another one."""

    match_id = models.CharField(max_length=64, primary_key=True)
    room_id = models.UUIDField()
    party = models.CharField(max_length=64)
    code = models.CharField(max_length=64)
    start_at = models.DateTimeField()
    end_at = models.DateTimeField()
    end_reason = models.CharField(max_length=64)
    settings = models.JSONField()

    class Meta:
        db_table = "matches"
        verbose_name_plural = "matches"
        indexes = [
            models.Index(fields=["room_id", "-end_at"], name="matches_of_room"),
            models.Index(fields=["party", "-end_at"], name="matches_of_party"),
        ]

    def __str__(self) -> str:
        return self.match_id


class MatchPlayer(models.Model):
    """How one participant ended a match."""

    pk = models.CompositePrimaryKey("match_id", "player_id")
    match = models.ForeignKey(Match, models.CASCADE, db_index=False, related_name="players")
    party = models.CharField(max_length=64)  # that of the match: each has its own leaderboard
    place = models.PositiveIntegerField()  # in the list; equals share a rank
    rank = models.PositiveIntegerField()
    player_id = models.CharField(max_length=128)
    username = models.CharField(max_length=128)
    role = models.CharField(max_length=16, choices=Role.choices)
    score = models.BigIntegerField()

    class Meta:
        db_table = "match_players"
        indexes = [
            models.Index(
                fields=["party", "-score"],
                condition=models.Q(role=Role.PLAYER),
                name="match_players_leaders",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rank}. {self.username}"
