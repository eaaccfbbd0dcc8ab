"""The lobby put together: one realtime client and one set of limits per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from django.apps import apps

from contracts.client import RealtimeClient
from contracts.transport import KeepAliveTransport
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
    client = RealtimeClient(
        environment.realtime_url,
        environment.service_keys[0],
        transport=KeepAliveTransport(environment.realtime_connect_timeout_s),
        try_timeout_s=environment.realtime_try_timeout_s,
        total_timeout_s=environment.realtime_total_timeout_s,
        calls_max=environment.realtime_calls_max,
    )
    service = Lobby(client, environment.realtime_public_url, environment.secret_key)
    return Wiring(service, Limits() if environment.rate_limits else None)


def current() -> Wiring:
    """The running process's wiring; a test may put another in its place."""
    return cast("LobbyConfig", apps.get_app_config("lobby")).wiring
