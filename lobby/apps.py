"""The lobby as a Django app."""

from functools import cached_property

from django.apps import AppConfig
from django.conf import settings

from lobby.wiring import Wiring, wired


class LobbyConfig(AppConfig):
    """Holds the process's wiring, made when the first request needs it."""

    name = "lobby"
    verbose_name = "Lobby"

    @cached_property
    def wiring(self) -> Wiring:
        """The client, the service and the limits."""
        return wired(settings.GREENROOM)

    def ready(self) -> None:
        """The OpenAPI extension registers itself when it is imported."""
        from lobby import schema  # noqa: F401
