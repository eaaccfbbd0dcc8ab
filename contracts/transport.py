"""HTTP/1.1 over pooled sockets, as an httpx transport with a total deadline.

httpx's own transport has a timeout per read and none in all, so a server that sends a byte a
second holds its caller for ever; and it costs several times what the call itself does. This one
does what the lobby's calls need and no more: small bodies, answers up to a limit, one deadline.
It sends a request again when a pooled connection turns out dead, so requests must be repeatable.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import defaultdict
from typing import NamedTuple

import httpx

from contracts.http1 import Answer, wire
from contracts.limits import ANSWER_MAX_BYTES

CONNECT_TIMEOUT_S = 0.5
TIMEOUT_S = 4.0
IDLE_MAX = 128  # connections kept per server; more are closed when their answer has been read
_CHUNK = 64 * 1024


class Origin(NamedTuple):
    """Whom a connection leads to."""

    scheme: str
    host: str
    port: int


class KeepAliveTransport(httpx.BaseTransport):
    """Sends a request and reads its whole answer before `request.extensions["deadline"]`.

    The deadline is a `time.monotonic()` value, `timeout_s` from now when the request has none.
    Raises httpx's transport errors: ConnectError and ConnectTimeout when nothing was sent,
    ReadTimeout and WriteTimeout after the deadline, ReadError and WriteError when the connection
    broke, RemoteProtocolError when what came is not an answer or is longer than the limit.
    Threads may share it. Looking up a host's name is the resolver's business and not in the limit.
    """

    def __init__(
        self,
        *,
        timeout_s: float = TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        answer_max_bytes: int = ANSWER_MAX_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._answer_max_bytes = answer_max_bytes
        self._tls = tls
        self._idle: defaultdict[Origin, list[socket.socket]] = defaultdict(list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, one answer. A dead pooled connection is replaced at once."""
        deadline = request.extensions.get("deadline", time.monotonic() + self._timeout_s)
        origin = _origin(request.url)
        if pooled := self._take(origin):
            try:
                return self._exchange(pooled, origin, request, deadline)
            except httpx.NetworkError:
                pass  # the server closed it while it lay here, which says nothing about the server
        return self._exchange(self._connect(origin, deadline), origin, request, deadline)

    def close(self) -> None:
        """Close the connections that lie idle."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _take(self, origin: Origin) -> socket.socket | None:
        """The connection used last, which is the likeliest to live; silent ones only."""
        idle = self._idle[origin]
        while True:
            try:
                connection = idle.pop()
            except IndexError:
                return None
            if not _readable(connection):
                return connection
            connection.close()  # closed by the server, or it spoke out of turn

    def _keep(self, origin: Origin, connection: socket.socket) -> None:
        idle = self._idle[origin]
        if len(idle) < IDLE_MAX:
            idle.append(connection)
        else:
            connection.close()

    def _connect(self, origin: Origin, deadline: float) -> socket.socket:
        timeout_s = min(self._connect_timeout_s, deadline - time.monotonic())
        try:
            connection = socket.create_connection((origin.host, origin.port), max(timeout_s, 0.001))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._secure(connection, origin.host) if origin.scheme == "https" else connection
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except (OSError, UnicodeError) as error:  # UnicodeError: no resolver takes such a name
            raise httpx.ConnectError(str(error)) from error

    def _secure(self, connection: socket.socket, host: str) -> socket.socket:
        self._tls = self._tls or ssl.create_default_context()
        try:
            return self._tls.wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise

    def _exchange(
        self, connection: socket.socket, origin: Origin, request: httpx.Request, deadline: float
    ) -> httpx.Response:
        try:
            _send(connection, wire(request), deadline)
            answer = Answer(self._answer_max_bytes)
            while not answer.complete:
                answer.feed(_receive(connection, deadline))
        except BaseException:
            connection.close()
            raise
        if answer.keep_alive:
            self._keep(origin, connection)
        else:
            connection.close()
        return answer.response


def _origin(url: httpx.URL) -> Origin:
    return Origin(url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))


def _readable(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _send(connection: socket.socket, data: bytes, deadline: float) -> None:
    connection.settimeout(max(deadline - time.monotonic(), 0.001))
    try:
        connection.sendall(data)
    except TimeoutError as error:
        raise httpx.WriteTimeout(str(error)) from error
    except OSError as error:
        raise httpx.WriteError(str(error)) from error


def _receive(connection: socket.socket, deadline: float) -> bytes:
    """The next bytes. Each wait gets what is left, so that no trickle outlasts the deadline."""
    connection.settimeout(max(deadline - time.monotonic(), 0.001))
    try:
        return connection.recv(_CHUNK)
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except OSError as error:
        raise httpx.ReadError(str(error)) from error
