"""Which realtime process a call goes to first, and which one after that.

Any process may run any room, but commands that meet in one do not race. So the lobby asks the very
process to which nginx's `hash … consistent` leads the room's sockets: this is the same ring.
Source: nginx, src/http/modules/ngx_http_upstream_hash_module.c.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Sequence

POINTS = 160  # of each server


class Ring:
    """Servers on a circle of hashes, each at many points. Without one of them, only what stood at
    its points moves."""

    def __init__(self, servers: Sequence[str]) -> None:
        """`servers` are `host:port`, or `host` alone, as they stand in nginx's `upstream` too."""
        owners: dict[int, int] = {}
        for number, server in enumerate(servers):
            for point in _points(server):
                owners.setdefault(point, number)
        self._points = sorted(owners)
        around = [owners[point] for point in self._points]
        self._lone = len(servers) == 1
        self._pairs = [_first_two(around[at:] + around[:at]) for at in range(len(around))]

    def two(self, path: str) -> tuple[int, int]:
        """The numbers of the first server for this path and of the next; a lone one is both."""
        if self._lone:
            return 0, 0
        at = bisect_left(self._points, zlib.crc32(room_of(path).encode()))
        return self._pairs[at % len(self._pairs)]


def room_of(path: str) -> str:
    """The room's own path at the head of this one; all of a path that is about no room."""
    return "/".join(path.split("/", 4)[:4])


def _first_two(around: Sequence[int]) -> tuple[int, int]:
    return around[0], next((one for one in around if one != around[0]), around[0])


def _points(server: str) -> list[int]:
    host, _, port = server.rpartition(":")
    if not port.isdigit():
        host, port = server, ""
    base = zlib.crc32(f"{host}\0{port}".encode())
    points = [0]
    for _ in range(POINTS):
        points.append(zlib.crc32(points[-1].to_bytes(4, "little"), base))
    return points[1:]
