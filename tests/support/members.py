"""Members of one chat room in one thread: some read, some never do, and one knows the delay."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.crowd import settle
from tests.support.visits import HANDSHAKE, message

SMALLEST_BUFFER = 4096
READY_WITHIN_S = 300.0  # only so that nothing hangs for ever


class Member(asyncio.Protocol):
    """One socket, which has joined when `joined` is done. It looks for nothing but its mark."""

    def __init__(self, url: str, token: str, *, stalls: bool = False) -> None:
        self._url, self._token, self._stalls = urlsplit(url), token, stalls
        loop = asyncio.get_running_loop()
        self.joined: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.last = b""  # what came last
        self._mark, self._seen = b"", loop.create_future()

    async def comes(self) -> Member:
        """Connect; who stalls takes as little into its buffers as can be had."""
        end = socket.socket()
        if self._stalls:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST_BUFFER)
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(end, (self._url.hostname, self._url.port))
        await loop.create_connection(lambda: self, sock=end)
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(HANDSHAKE.replace(b"/parties/chat/K7PQ2M", self._url.path.encode()))

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 101"):
            self.transport.write(message("JOIN_ROOM", playerToken=self._token))
        if not self.joined.done() and b"ROOM_SNAPSHOT" in data:
            self.joined.set_result(None)
            if self._stalls:
                self.transport.pause_reading()
        seen = self.last + data
        if self._mark and self._mark in seen:
            self._mark = b""
            self._seen.set_result(None)
        self.last = seen[-200:]

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.joined, self.ended):
            settle(future)
        settle(self._seen, ConnectionError(f"closed, after {self.last!r}"))

    async def hears_itself(self, mark: str, padding: int) -> float:
        """How long its signal takes to come back, in seconds."""
        self._mark, self._seen = mark.encode(), asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self.says(mark, padding)
        await self._seen
        return time.perf_counter() - began

    def says(self, mark: str, padding: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(message("chat.signal", data="x" * padding + mark))

    async def reads_on(self) -> int | None:
        """Read to the end. The code it was closed with; None after a reset, or where it is cut."""
        self.transport.resume_reading()
        await self.ended
        last = self.last[-4:-2]
        return int.from_bytes(self.last[-2:], "big") if last == b"\x88\x02" else None


async def all_come(members: Sequence[Member], at_once: int = 50) -> None:
    """Open them all, a few at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(member: Member) -> None:
        async with gate:
            await member.comes()
            await member.joined

    async with asyncio.timeout(READY_WITHIN_S):
        await asyncio.gather(*map(one, members))


def resident_kib(pid: int) -> int:
    """A process's memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4
