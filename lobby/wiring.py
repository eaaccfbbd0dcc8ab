"""The lobby put together: one realtime client and one set of limits per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from django.apps import apps

from config.clients import realtime_client
from lobby.service import Lobby
from lobby.windows import Limits

if TYPE_CHECKING:
    from config.env import Environment
    from lobby.apps import LobbyConfig


@dataclass(frozen=True)
class Wiring:
    """What the views work with. `limits` is None when RATE_LIMITS is off."""

    service: Lobby
    limits: Limits | None


def wired(environment: Environment) -> Wiring:
    """Everything as the environment says."""
    client = realtime_client(environment)
    service = Lobby(client, environment.realtime_public_url, environment.secret_key)
    return Wiring(service, Limits() if environment.rate_limits else None)


def current() -> Wiring:
    """The running process's wiring; a test may put another in its place."""
    return _lobby().wiring


@cache
def _lobby() -> LobbyConfig:
    return cast("LobbyConfig", apps.get_app_config("lobby"))
