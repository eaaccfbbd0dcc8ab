"""One socket to a server, with every wait bounded and every failure an httpx transport error."""

from __future__ import annotations

import math
import select
import socket
import ssl
import struct
import time
from typing import NamedTuple

import httpx

_CHUNK = 64 * 1024
_AT_LEAST_S = 0.001  # 0 would mean for ever
_STEP_S = 0.05  # a deadline may be missed by this much


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
        self._limit_steps = 0
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
        """Bound the next wait to what is left, rounded up to `_STEP_S`, so that as a rule the last
        call's limit still fits and the kernel need not be told."""
        steps = math.ceil((deadline - time.monotonic()) / _STEP_S)
        if steps <= 0:
            raise TimeoutError("The time for the whole call is over")
        if steps != self._limit_steps:
            self._limit_steps = steps
            _limit_waits(self._socket, steps * _STEP_S)


def _limit_waits(connected: socket.socket, seconds: float) -> None:
    """Python's timeouts poll before each call; the kernel's do not, which halves the system calls.
    TLS needs Python's: it takes the kernel's for an interruption, and asks again for ever."""
    if isinstance(connected, ssl.SSLSocket):
        return connected.settimeout(seconds)
    timeval = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
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
