"""A running Greenroom behind nginx, with several realtime processes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from contracts.paths import room_path
from contracts.ring import Ring
from tests.support.databases import Scratch
from tests.support.nginx import Nginx
from tests.support.servers import Server, free_port, server, until
from tests.support.site import Site


class Proxied:
    """Lobbies and realtime processes behind nginx. `site` is all that is seen of them outside."""

    def __init__(
        self,
        stack: ExitStack,
        databases: Sequence[Scratch],
        folder: Path,
        *,
        lobbies: int = 1,
        **environ: str,
    ) -> None:
        """A realtime process for each of these databases, which may be the same one."""
        environ = {"TRUSTED_PROXIES": "1", **environ}
        self.realtime = [
            server("realtime", {**port("REALTIME_PORT"), **database.environ, **environ}, folder)
            for database in databases
        ]
        places = [port("LOBBY_PORT") for _ in range(lobbies)]
        ports = [one.port for one in self.realtime]
        self.nginx = Nginx(folder, [int(place["LOBBY_PORT"]) for place in places], ports)
        told = {
            **databases[0].environ,
            "REALTIME_URL": ",".join(one.url for one in self.realtime),
            "REALTIME_PUBLIC_URL": self.nginx.url,
            "RATE_LIMITS": "off",
            **environ,
        }
        self.lobbies = [server("lobby", {**place, **told}, folder) for place in places]
        for one in (*self.realtime, *self.lobbies):
            stack.enter_context(one)
        stack.enter_context(self.nginx)
        gate: Any = self.nginx  # stands for both tiers
        self.site = Site(gate, databases[0], gate)
        self._ring = Ring([f"127.0.0.1:{port}" for port in ports])

    def owner(self, room_id: str) -> Server:
        """The realtime process to which the room's calls and sockets go."""
        return self.realtime[self._ring.two(room_path("leet99", room_id))[0]]

    def room_of(self, process: Server) -> dict[str, Any]:
        """A new room that belongs to this process: what its host was answered."""
        while self.owner((host := self.site.room())["roomId"]) is not process:
            pass
        return host

    def state(self, room_id: str, **how: Any) -> httpx.Response:
        """The room's summary, by the realtime service itself."""
        return self.site.http.get(f"{self.nginx.url}/parties/leet99/{room_id}/state", **how)

    def upstream(self, room_id: str) -> list[str]:
        """Where the newest answer about the room's state came from."""
        path = f"/parties/leet99/{room_id}/state"
        until(lambda: [one for one in self.nginx.passed if one.path == path])
        return [one for one in self.nginx.passed if one.path == path][-1].upstream


def port(variable: str) -> dict[str, str]:
    return {variable: str(free_port())}
