"""One socket to a server, with every wait bounded and every failure an httpx transport error."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from typing import NamedTuple

import httpx

_CHUNK = 64 * 1024
_AT_LEAST_S = 0.001  # 0 would mean for ever


class Origin(NamedTuple):
    """Whom a connection leads to."""

    scheme: str
    host: str
    port: int


def origin_of(url: httpx.URL) -> Origin:
    """The server of a URL."""
    return Origin(url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))


class Connection:
    """A connected socket. Deadlines are `time.monotonic()` values."""

    def __init__(self, origin: Origin, timeout_s: float, tls: ssl.SSLContext) -> None:
        """Connect, and for https agree on keys. Raises ConnectError or ConnectTimeout."""
        try:
            self._socket = _connect(origin, max(timeout_s, _AT_LEAST_S), tls)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver takes
            raise httpx.ConnectError(str(error)) from error

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of a small message. Raises WriteError or WriteTimeout."""
        try:
            self._limit(deadline)
            self._socket.sendall(data)
        except (TimeoutError, BlockingIOError) as error:
            raise httpx.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpx.WriteError(str(error)) from error

    def receive(self, deadline: float) -> bytes:
        """What comes next, or nothing at the end. Raises ReadError or ReadTimeout."""
        try:
            self._limit(deadline)
            return self._socket.recv(_CHUNK)
        except (TimeoutError, BlockingIOError) as error:
            raise httpx.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error

    def is_quiet(self) -> bool:
        """Whether the server has neither closed nor spoken out of turn."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _limit(self, deadline: float) -> None:
        """Bound the next wait. Python's timeouts poll before each call; the kernel's do not, which
        halves the system calls. TLS needs Python's: it would ask the kernel again and again."""
        left_s = max(deadline - time.monotonic(), _AT_LEAST_S)
        if isinstance(self._socket, ssl.SSLSocket):
            return self._socket.settimeout(left_s)
        timeval = struct.pack("ll", int(left_s), int(left_s % 1 * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        return None


def _connect(origin: Origin, timeout_s: float, tls: ssl.SSLContext) -> socket.socket:
    connected = socket.create_connection((origin.host, origin.port), timeout_s)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.scheme == "https":
            return tls.wrap_socket(connected, server_hostname=origin.host)
        connected.settimeout(None)
    except BaseException:
        connected.close()
        raise
    return connected
