"""Parked alarms, finished matches, and indexes for what is looked for by time or listed."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("realtime", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="room",
            name="alarms_parked",
            field=models.PositiveIntegerField(db_default=0),
        ),
        migrations.AddIndex(
            model_name="room",
            index=models.Index(
                condition=models.Q(("alarm_at__isnull", False)),
                fields=["alarm_at"],
                name="rooms_alarm_at",
            ),
        ),
        migrations.AddIndex(
            model_name="room",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False)),
                fields=["expires_at"],
                name="rooms_expires_at",
            ),
        ),
        migrations.AddIndex(
            model_name="room",
            index=models.Index(
                condition=models.Q(
                    ("visibility", "public"), models.Q(("status", "closed"), _negated=True)
                ),
                fields=["party", "-room_id"],
                name="rooms_listed",
            ),
        ),
        migrations.CreateModel(
            name="Match",
            fields=[
                ("match_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("room_id", models.UUIDField()),
                ("party", models.CharField(max_length=64)),
                ("code", models.CharField(max_length=64)),
                ("start_at", models.DateTimeField()),
                ("end_at", models.DateTimeField()),
                ("end_reason", models.CharField(max_length=64)),
                ("settings", models.JSONField()),
            ],
            options={
                "verbose_name_plural": "matches",
                "db_table": "matches",
                "indexes": [
                    models.Index(fields=["room_id", "-end_at"], name="matches_of_room"),
                    models.Index(fields=["party", "-end_at"], name="matches_of_party"),
                ],
            },
        ),
        migrations.CreateModel(
            name="MatchPlayer",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "match_id",
                        "player_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("party", models.CharField(max_length=64)),
                ("place", models.PositiveIntegerField()),
                ("rank", models.PositiveIntegerField()),
                ("player_id", models.CharField(max_length=128)),
                ("username", models.CharField(max_length=128)),
                (
                    "role",
                    models.CharField(
                        choices=[("player", "Player"), ("spectator", "Spectator"), ("bot", "Bot")],
                        max_length=16,
                    ),
                ),
                ("score", models.BigIntegerField()),
                (
                    "match",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="players",
                        to="realtime.match",
                    ),
                ),
            ],
            options={
                "db_table": "match_players",
                "indexes": [
                    models.Index(
                        condition=models.Q(("role", "player")),
                        fields=["party", "-score"],
                        name="match_players_leaders",
                    ),
                ],
            },
        ),
    ]
