"""HTTP/1.1 over pooled connections, as an httpx transport with a total deadline.

httpx's own transport has a timeout per read and none in all, so a server that sends a byte a
second holds its caller for ever; and it costs many times what the call itself does. This one does
what the lobby's calls need and no more: small bodies, answers up to a limit, one deadline. It
sends a request again when a pooled connection turns out dead, so requests must be repeatable.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict

import httpx

from contracts.connection import Connection, Origin, origin_of
from contracts.http1 import Answer, wire
from contracts.limits import ANSWER_MAX_BYTES

CONNECT_TIMEOUT_S = 0.5
TIMEOUT_S = 4.0
IDLE_MAX = 256  # connections kept per server; more are closed when their answer has been read


class KeepAliveTransport(httpx.AsyncBaseTransport):
    """Sends a request and reads its whole answer before `request.extensions["deadline"]`.

    The deadline is on the running loop's clock, `timeout_s` from now when the request has none.
    Raises httpx's transport errors: ConnectError and ConnectTimeout when nothing was sent,
    ReadTimeout after the deadline, ReadError when the connection broke, RemoteProtocolError when
    what came is not an answer or is longer than the limit.
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
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request, one answer. A dead pooled connection is replaced at once."""
        now = asyncio.get_running_loop().time()
        deadline = request.extensions.get("deadline", now + self._timeout_s)
        origin = origin_of(request.url)
        if pooled := self._take(origin):
            try:
                return await self._exchange(pooled, origin, request, deadline)
            except httpx.NetworkError:
                pass  # the server closed it while it lay here, which says nothing about the server
        timeout_s = min(self._connect_timeout_s, deadline - now)
        connection = await Connection.open(origin, timeout_s, self._tls)
        return await self._exchange(connection, origin, request, deadline)

    async def aclose(self) -> None:
        """Close the connections that lie idle."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    async def _exchange(
        self, connection: Connection, origin: Origin, request: httpx.Request, deadline: float
    ) -> httpx.Response:
        answer = Answer(self._answer_max_bytes)
        await connection.exchange(wire(request), answer, deadline)
        idle = self._idle[origin]
        if answer.keep_alive and not connection.closed and len(idle) < IDLE_MAX:
            idle.append(connection)
        else:
            connection.close()
        return answer.response

    def _take(self, origin: Origin) -> Connection | None:
        """The connection used last, which is the likeliest to live."""
        idle, loop = self._idle[origin], asyncio.get_running_loop()
        while idle:
            connection = idle.pop()
            if not connection.closed and connection.loop is loop:
                return connection
        return None
