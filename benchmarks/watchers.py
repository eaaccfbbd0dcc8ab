"""Members whose sockets are open and read, so that turns are announced to their process."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, DefaultSelector
from struct import pack

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PATIENCE_S = 10.0
LOOK_EVERY_S = 0.1
READ_BYTES = 1 << 18


class Watchers:
    """Sockets that are read by a thread, unparsed: reading must not cost the client's core much."""

    def __init__(self) -> None:
        self._sockets: dict[socket.socket, int] = {}  # and what each got, in bytes
        self._open = True

    def enter(self, port: int, path: str, token: str) -> None:
        """Open a socket, and see the room."""
        watcher = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        watcher.sendall(HANDSHAKE.format(path=path).encode())
        _read_until(watcher, b"\r\n\r\n")
        watcher.sendall(text_frame({"type": "JOIN_ROOM", "payload": {"playerToken": token}}))
        _read_until(watcher, b"ROOM_SNAPSHOT")
        self._sockets[watcher] = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read what comes during the block; afterwards the sockets are closed."""
        reader = threading.Thread(target=self._read)
        reader.start()
        try:
            yield
        finally:
            self._open = False
            reader.join()
            for watcher in self._sockets:
                watcher.close()

    @property
    def least_bytes(self) -> int:
        """What the one got who got least."""
        return min(self._sockets.values())

    def _read(self) -> None:
        with DefaultSelector() as selector:
            for watcher in self._sockets:
                selector.register(watcher, EVENT_READ)
            while self._open:
                for ready, _ in selector.select(LOOK_EVERY_S):
                    spoken = ready.fileobj
                    assert isinstance(spoken, socket.socket)
                    got = spoken.recv(READ_BYTES)
                    self._sockets[spoken] += len(got)
                    if not got:
                        selector.unregister(spoken)


def text_frame(message: object) -> bytes:
    """A client's frame of up to 64 KiB; the mask of zeros leaves the text as it is."""
    text = json.dumps(message).encode()
    size = (
        pack("!BB", 0x81, 0x80 | len(text))
        if len(text) < 126
        else pack("!BBH", 0x81, 0xFE, len(text))
    )
    return size + bytes(4) + text


def _read_until(watcher: socket.socket, mark: bytes) -> None:
    seen = b""
    while mark not in seen:
        got = watcher.recv(READ_BYTES)
        if not got:
            raise ConnectionError("a socket was closed before it saw its room")
        seen += got
