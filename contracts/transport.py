"""HTTP/1.1 over pooled connections, with a total deadline.

httpx's own transport has a timeout per read and none in all, so a server that sends a byte a
second holds its caller for ever; and it costs many times what the call itself does. This one does
what the lobby's calls need and no more: small bodies, answers up to a limit, one deadline. It
sends a request again when a pooled connection turns out dead, so requests must be repeatable.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from typing import Protocol

import httpx

from contracts.connection import HttpConnection, Origin
from contracts.http1 import Answer

IDLE_MAX = 256  # connections kept per server; more are closed when their answer has been read


class Transport(Protocol):
    """How a client reaches servers."""

    async def exchange(self, origin: Origin, request: bytes, deadline: float) -> Answer:
        """Send a whole request and read its whole answer before `deadline`, on the running loop's
        clock. Raises httpx's transport errors."""

    async def aclose(self) -> None:
        """Close the connections that lie idle."""


class KeepAliveTransport:
    """A Transport over TCP and TLS.

    Raises ConnectError and ConnectTimeout when there is no connection to be had, ReadTimeout after
    the deadline, ReadError when the connection broke, RemoteProtocolError when what came is not an
    answer or is longer than ANSWER_MAX_BYTES.
    """

    def __init__(self, connect_timeout_s: float, *, tls: ssl.SSLContext | None = None) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._tls = tls or ssl.create_default_context()
        self._idle: defaultdict[Origin, list[HttpConnection]] = defaultdict(list)

    async def exchange(self, origin: Origin, request: bytes, deadline: float) -> Answer:
        """One request, one answer. A dead pooled connection is replaced at once."""
        connection = self._take(origin)
        if connection:
            try:
                answer = await connection.exchange(request, deadline)
            except httpx.NetworkError:
                pass  # the server closed it while it lay here, which says nothing about the server
            except httpx.ReadTimeout:
                self._forget(origin)  # its host may be gone without a word, and theirs with it
                raise
            else:
                self._keep(connection, origin, answer)
                return answer
        connection = await self._connect(origin, deadline)
        answer = await connection.exchange(request, deadline)
        self._keep(connection, origin, answer)
        return answer

    async def aclose(self) -> None:
        """Close the connections that lie idle."""
        for origin in self._idle:
            self._forget(origin)

    def _forget(self, origin: Origin) -> None:
        """Close the connections to one server that lie idle."""
        idle = self._idle[origin]
        while idle:
            idle.pop().close()

    async def _connect(self, origin: Origin, deadline: float) -> HttpConnection:
        """A new connection, in what is left of the time."""
        left_s = deadline - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise httpx.ReadTimeout("no time is left to connect")
        return await HttpConnection.open(origin, min(self._connect_timeout_s, left_s), self._tls)

    def _keep(self, connection: HttpConnection, origin: Origin, answer: Answer) -> None:
        idle = self._idle[origin]
        if answer.keep_alive and not connection.closed and len(idle) < IDLE_MAX:
            idle.append(connection)
        else:
            connection.close()

    def _take(self, origin: Origin) -> HttpConnection | None:
        """The connection used last, which is the likeliest to live."""
        idle, loop = self._idle[origin], asyncio.get_running_loop()
        while idle:
            connection = idle.pop()
            if not connection.closed and connection.loop is loop:
                return connection
        return None
