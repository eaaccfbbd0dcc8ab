"""Runs the realtime service on uvicorn, from the first socket to a clean end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Collection
from math import ceil
from types import FrameType

import uvicorn
from django.conf import settings as django_settings

from config.env import Environment
from config.serving import server_config, tune_process
from contracts.limits import FRAME_MAX_BYTES
from realtime.engine.store import StorageUnavailable
from realtime.loading import UnusableParty
from realtime.runtime import runtime
from realtime.websocket.protocol import WebSocketProtocol

PING_INTERVAL_S = PING_TIMEOUT_S = 20  # a half-open socket is closed within 41 s
LOOK_EVERY_S = 0.05
LINGER_S = 2.0  # what the last sockets may take to close, then they are broken off
LAST_ANSWERS_S = 1  # and the last requests
END_S = 19  # beyond DRAIN_TIMEOUT_S; what still runs then hangs, and dies of SIGALRM
FORCED_END_S = 2


class Server(uvicorn.Server):
    """Uvicorn that starts the runtime first, and lets rooms finish before their sockets close."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Storage first: nothing is served that could not be kept."""
        await runtime()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the runtime while all can still be answered, then hang up. Forced: only that."""
        ending = asyncio.create_task((await runtime()).close())
        while not (ending.done() or self.force_exit):
            await asyncio.wait([ending], timeout=LOOK_EVERY_S)
        if ending.done():
            ending.result()
            await self._hang_up()
        else:
            ending.cancel()
        await super().shutdown(sockets)

    async def _hang_up(self) -> None:
        """Clients answer a close. Those who don't even read it are broken off."""
        until = time.monotonic() + LINGER_S
        while self._websockets() and self._may_wait(until):  # noqa: ASYNC110  nobody tells it
            await asyncio.sleep(LOOK_EVERY_S)
        for one in self._websockets():
            one.transport.abort()

    def _may_wait(self, until: float) -> bool:
        return time.monotonic() < until and not self.force_exit

    def _websockets(self) -> list[WebSocketProtocol]:
        connections: Collection[object] = self.server_state.connections
        return [one for one in connections if isinstance(one, WebSocketProtocol)]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for the end, a second one for no more patience. The alarm's default action
        ends the process whatever it is doing: a thread or a loop that hangs can't keep it."""
        self.force_exit = self.should_exit
        self.should_exit = True
        settings: Environment = django_settings.GREENROOM
        signal.alarm(FORCED_END_S if self.force_exit else ceil(settings.drain_timeout_s) + END_S)


def main() -> int:
    """Serve until SIGINT or SIGTERM. Returns the process's exit status."""
    settings: Environment = django_settings.GREENROOM
    config = server_config(
        "realtime.asgi:application",
        settings.realtime_host,
        settings.realtime_port,
        ws=WebSocketProtocol,
        ws_max_size=FRAME_MAX_BYTES,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_TIMEOUT_S,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
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
