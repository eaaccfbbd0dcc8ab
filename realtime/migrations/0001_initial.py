"""Users, rooms, seats and the journal."""

import uuid

import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def store_state_as_it_is(_: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Keep PostgreSQL from compressing states: for a full room that took two thirds of a commit."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE rooms ALTER COLUMN state SET STORAGE EXTERNAL")


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                (
                    "email",
                    models.EmailField(blank=True, max_length=254, verbose_name="email address"),
                ),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                (
                    "date_joined",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="date joined"
                    ),
                ),
                (
                    "user_id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "external_id",
                    models.CharField(blank=True, max_length=255, null=True, unique=True),
                ),
                (
                    "display_name",
                    models.CharField(blank=True, db_default="", default="", max_length=150),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "db_table": "users",
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Room",
            fields=[
                (
                    "room_id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("party", models.CharField(max_length=64)),
                ("code", models.CharField(max_length=64)),
                (
                    "visibility",
                    models.CharField(
                        choices=[("public", "Public"), ("private", "Private")],
                        db_default="private",
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("in_game", "In Game"), ("closed", "Closed")],
                        db_default="open",
                        max_length=16,
                    ),
                ),
                ("phase", models.CharField(db_default="lobby", max_length=32)),
                ("max_players", models.PositiveIntegerField(db_default=4)),
                ("ruleset_id", models.CharField(db_default="classic", max_length=64)),
                (
                    "ruleset_config",
                    models.JSONField(db_default=models.Value({}, models.JSONField())),
                ),
                ("version", models.PositiveBigIntegerField()),
                ("seq", models.PositiveBigIntegerField(db_default=0)),
                ("state", models.BinaryField()),
                ("alarm_at", models.DateTimeField(blank=True, null=True)),
                ("players", models.PositiveIntegerField(db_default=0)),
                ("spectators", models.PositiveIntegerField(db_default=0)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "owner_user",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "rooms",
                "constraints": [
                    models.UniqueConstraint(fields=("party", "code"), name="rooms_party_code"),
                    models.CheckConstraint(
                        condition=models.Q(("visibility__in", ["public", "private"])),
                        name="rooms_visibility",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["open", "in_game", "closed"])),
                        name="rooms_status",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("players__lte", models.F("max_players"))),
                        name="rooms_cap",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="JournalEntry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "room_id",
                        "version",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("version", models.PositiveBigIntegerField()),
                ("at", models.DateTimeField()),
                ("command", models.CharField(max_length=64)),
                ("actor", models.CharField(blank=True, max_length=128)),
                ("entry", models.TextField()),
                (
                    "room",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="journal",
                        to="realtime.room",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "journal",
                "db_table": "room_journal",
            },
        ),
        migrations.CreateModel(
            name="Seat",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seat_index", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("empty", "Empty"), ("occupied", "Occupied")],
                        db_default="occupied",
                        max_length=16,
                    ),
                ),
                ("is_host", models.BooleanField(db_default=False)),
                (
                    "ready",
                    models.CharField(
                        choices=[("not_ready", "Not Ready"), ("ready", "Ready")],
                        db_default="not_ready",
                        max_length=16,
                    ),
                ),
                ("player_id", models.CharField(blank=True, max_length=128, null=True)),
                ("username", models.CharField(blank=True, max_length=128, null=True)),
                ("username_key", models.TextField(blank=True, null=True)),
                (
                    "role",
                    models.CharField(
                        blank=True,
                        choices=[("player", "Player"), ("spectator", "Spectator"), ("bot", "Bot")],
                        max_length=16,
                        null=True,
                    ),
                ),
                ("token_hash", models.CharField(blank=True, max_length=64, null=True)),
                ("joined_at", models.DateTimeField(blank=True, null=True)),
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="seats",
                        to="realtime.room",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "room_seats",
                "constraints": [
                    models.UniqueConstraint(fields=("room", "player_id"), name="room_seats_player"),
                    models.UniqueConstraint(
                        fields=("room", "username_key"), name="room_seats_username"
                    ),
                    models.UniqueConstraint(fields=("room", "token_hash"), name="room_seats_token"),
                    models.UniqueConstraint(fields=("room", "seat_index"), name="room_seats_index"),
                    models.UniqueConstraint(
                        condition=models.Q(("is_host", True)),
                        fields=("room",),
                        name="room_seats_one_host",
                    ),
                ],
            },
        ),
        migrations.RunPython(store_state_as_it_is, migrations.RunPython.noop),
    ]
