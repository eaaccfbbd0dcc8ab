"""The realtime service's client, as the environment says."""

from config.env import Environment
from contracts.client import RealtimeClient
from contracts.transport import KeepAliveTransport


def realtime_client(environment: Environment) -> RealtimeClient:
    """A client with connections of its own; close it on the event loop that used it."""
    return RealtimeClient(
        environment.realtime_urls,
        environment.service_keys[0],
        transport=KeepAliveTransport(environment.realtime_connect_timeout_s),
        try_timeout_s=environment.realtime_try_timeout_s,
        total_timeout_s=environment.realtime_total_timeout_s,
        calls_max=environment.realtime_calls_max,
    )
