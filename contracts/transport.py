"""HTTP/1.1 over pooled connections, as an httpx transport with a total deadline.

httpx's own transport has a timeout per read and none in all, so a server that sends a byte a
second holds its caller for ever; and it costs several times what the call itself does. This one
does what the lobby's calls need and no more: small bodies, answers up to a limit, one deadline.
It sends a request again when a pooled connection turns out dead, so requests must be repeatable.
"""

from __future__ import annotations

import ssl
import time
from collections import defaultdict
from typing import NamedTuple

import httpx

from contracts.connection import Connection, Origin, origin_of
from contracts.http1 import Answer, wire
from contracts.limits import ANSWER_MAX_BYTES

CONNECT_TIMEOUT_S = 0.5
TIMEOUT_S = 4.0
TRUSTED_S = 1.0  # a connection that lay idle for longer is looked at before it is used
IDLE_MAX = 256  # connections kept per server; more are closed when their answer has been read


class Idle(NamedTuple):
    """A connection that waits for its next request."""

    connection: Connection
    since: float


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
        self._tls = tls or ssl.create_default_context()
        self._idle: defaultdict[Origin, list[Idle]] = defaultdict(list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, one answer. A dead pooled connection is replaced at once."""
        deadline = request.extensions.get("deadline", time.monotonic() + self._timeout_s)
        origin = origin_of(request.url)
        if pooled := self._take(origin):
            try:
                return self._exchange(pooled, origin, request, deadline)
            except httpx.NetworkError:
                pass  # the server closed it while it lay here, which says nothing about the server
        timeout_s = min(self._connect_timeout_s, deadline - time.monotonic())
        return self._exchange(Connection(origin, timeout_s, self._tls), origin, request, deadline)

    def close(self) -> None:
        """Close the connections that lie idle."""
        for idle in self._idle.values():
            while idle:
                idle.pop().connection.close()

    def _exchange(
        self, connection: Connection, origin: Origin, request: httpx.Request, deadline: float
    ) -> httpx.Response:
        answer = Answer(self._answer_max_bytes)
        try:
            connection.send(wire(request), deadline)
            while not answer.complete:  # each wait gets what is left, so no trickle outlasts it
                answer.feed(connection.receive(deadline))
        except BaseException:
            connection.close()
            raise
        self._give_back(origin, connection, reusable=answer.keep_alive)
        return answer.response

    def _take(self, origin: Origin) -> Connection | None:
        """The connection used last, which is the likeliest to live. (A list's pop and append are
        atomic, so that threads need no lock here.)"""
        idle = self._idle[origin]
        while idle:
            try:
                connection, since = idle.pop()
            except IndexError:
                break
            if time.monotonic() - since < TRUSTED_S or connection.is_quiet():
                return connection
            connection.close()
        return None

    def _give_back(self, origin: Origin, connection: Connection, *, reusable: bool) -> None:
        idle = self._idle[origin]
        if reusable and len(idle) < IDLE_MAX:
            idle.append(Idle(connection, time.monotonic()))
        else:
            connection.close()
