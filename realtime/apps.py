"""The room service as a Django app: its models, migrations and admin."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """Installed in both tiers, so that the lobby's admin shows the rooms."""

    name = "realtime"
    verbose_name = "Rooms"
