"""Runs the realtime service on uvicorn, from the first socket to a clean end."""

from __future__ import annotations

import socket
import sys

import uvicorn
from django.conf import settings as django_settings

from config.env import Environment
from config.serving import server_config, tune_process
from contracts.limits import FRAME_MAX_BYTES
from realtime.engine.store import StorageUnavailable
from realtime.loading import UnusableParty
from realtime.runtime import runtime

PING_INTERVAL_S = PING_TIMEOUT_S = 20  # a half-open socket is closed within 45 s


class Server(uvicorn.Server):
    """Uvicorn that starts the runtime first, and lets rooms finish before their sockets close."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Storage first: nothing is served that could not be kept."""
        await runtime()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the mailboxes while sockets are open, then close them with 1012."""
        await (await runtime()).close()
        await super().shutdown(sockets)


def main() -> int:
    """Serve until SIGINT or SIGTERM. Returns the process's exit status."""
    settings: Environment = django_settings.GREENROOM
    config = server_config(
        "realtime.asgi:application",
        settings.realtime_host,
        settings.realtime_port,
        ws="websockets-sansio",
        ws_max_size=FRAME_MAX_BYTES,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_TIMEOUT_S,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=settings.drain_timeout_s,
    )
    config.load()
    tune_process()
    try:
        uvicorn_server = Server(config)
        uvicorn_server.run()
    except (StorageUnavailable, UnusableParty) as problem:
        sys.stderr.write(f"greenroom: {problem}\n")
        return 1
    return 0 if uvicorn_server.started else 1
