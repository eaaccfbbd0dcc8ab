"""A thousand sockets in one thread: they join, and count snapshots in what they do not parse."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

SNAPSHOT = b'"type":"ROOM_SNAPSHOT"'
LAST_WORD = "that was all"  # shorter than SNAPSHOT, see `data_received`
HANDSHAKES = 100  # under way at a time: a listen queue has an end
PATIENCE_S = 300.0  # only so that nothing hangs for ever


class Listener(asyncio.Protocol):
    """One member: shows its token, counts snapshots, and is done when it hears the last word."""

    def __init__(self, url: str, token: str) -> None:
        self._url = urlsplit(url)
        self._token = token
        self._tail = b""
        self.status = 0  # the handshake's answer
        self.snapshots = self.bytes_heard = 0
        self.joined, self.done = (asyncio.get_running_loop().create_future() for _ in "12")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            f"GET {self._url.path} HTTP/1.1\r\nHost: {self._url.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """The end of each read is looked at again with the next: what counts may lie across."""
        if not self.bytes_heard:
            self.status = int(data[9:12])
            if self.status == 101:
                self.transport.write(text_frame({"playerToken": self._token}, "JOIN_ROOM"))
        self.bytes_heard += len(data)
        heard = self._tail + data
        self._tail = heard[1 - len(SNAPSHOT) :]
        if found := heard.count(SNAPSHOT):
            self.snapshots += found
            settle(self.joined)
        if LAST_WORD.encode() in heard:
            settle(self.done)

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.joined, self.done):
            settle(future, ConnectionError(f"closed, after {self._tail!r}"))


class Tally(NamedTuple):
    """What a crowd heard, until everybody had heard the last word."""

    listeners: int
    snapshots: int
    megabytes: int
    joined_s: float
    all_s: float


async def join_at_once(url: str, tokens: Sequence[str], say_last_word: Callable[[], None]) -> Tally:
    """A socket for every token. Raises ConnectionError when any of them is closed."""
    loop, started = asyncio.get_running_loop(), time.monotonic()
    address, gate = urlsplit(url), asyncio.Semaphore(HANDSHAKES)
    assert address.hostname
    assert address.port
    place = address.hostname, address.port
    listeners = [Listener(url, token) for token in tokens]

    async def open_one(listener: Listener) -> None:
        async with gate:
            await loop.create_connection(lambda: listener, *place)

    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*map(open_one, listeners))
            await asyncio.gather(*(listener.joined for listener in listeners))
            joined_s = time.monotonic() - started
            await asyncio.to_thread(say_last_word)
            await asyncio.gather(*(listener.done for listener in listeners))
    finally:
        for listener in listeners:
            if hasattr(listener, "transport"):
                listener.transport.abort()
    return Tally(
        len(listeners),
        sum(listener.snapshots for listener in listeners),
        sum(listener.bytes_heard for listener in listeners) // 1_000_000,
        joined_s,
        time.monotonic() - started,
    )


def text_frame(payload: object, kind: str) -> bytes:
    """A short message as clients send it. The mask is all zeros, which is a mask too."""
    text = json.dumps({"type": kind, "payload": payload}).encode()
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


def settle(future: asyncio.Future[None], error: Exception | None = None) -> None:
    if future.done():
        return
    if error:
        future.set_exception(error)
        future.exception()  # it is told to whoever waits; if nobody does, that is no news
    else:
        future.set_result(None)
