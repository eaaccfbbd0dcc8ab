"""One HTTP/1.1 connection on the event loop; every failure is an httpx transport error."""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple, cast

import httpx

from contracts.deadline import Deadline
from contracts.http1 import Answer, AnswerReader
from contracts.limits import ANSWER_MAX_BYTES


class Origin(NamedTuple):
    """Whom a connection leads to."""

    scheme: str
    host: str
    port: int


def origin_of(url: httpx.URL) -> Origin:
    """The server of a URL; a name outside ASCII in the spelling that resolvers take."""
    port = url.port or (443 if url.scheme == "https" else 80)
    return Origin(url.scheme, url.raw_host.decode(), port)


class HttpConnection(asyncio.Protocol):
    """A connection that carries one exchange at a time."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self._reader = AnswerReader()
        self._waiter: asyncio.Future[Answer] | None = None
        self._deadline = Deadline(self.loop, self._be_late)

    @classmethod
    async def open(cls, origin: Origin, timeout_s: float, tls: ssl.SSLContext) -> HttpConnection:
        """Connect, and for https agree on keys. Raises ConnectError or ConnectTimeout."""
        context = tls if origin.scheme == "https" else None
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    cls, origin.host, origin.port, ssl=context
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver takes
            raise httpx.ConnectError(str(error)) from error
        return connection

    async def exchange(self, request: bytes, deadline: float) -> Answer:
        """Send a request and read its answer, before `deadline` on the loop's clock.

        Raises ReadTimeout, ReadError or RemoteProtocolError; the connection is closed then.
        """
        if self.closed:  # since it was opened: nobody would answer, or say that it is gone
            raise httpx.ReadError("The connection was closed")
        self._waiter = self.loop.create_future()
        self._reader.expect(ANSWER_MAX_BYTES)
        self._deadline.set_at(deadline)
        try:
            self._transport.write(request)
            return await self._waiter
        except BaseException:
            self.close()
            raise
        finally:
            self._deadline.clear()
            self._waiter = None

    def close(self) -> None:
        """Close at once, with whatever is still under way."""
        self.closed = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has connected us."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """More of the answer; without one, the server speaks out of turn and is not heard again."""
        if self._waiter is None or self._waiter.done():
            self.close()
        else:
            self._feed(data)

    def eof_received(self) -> None:
        """The server says no more; for some answers that is their end."""
        self.closed = True
        if self._waiter and not self._waiter.done():
            self._feed(b"")

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.closed = True
        self._fail(httpx.ReadError(str(error or "The connection was closed")))
        self._deadline.close()
        self._reader.close()

    def _feed(self, data: bytes) -> None:
        try:
            answer = self._reader.feed(data)
        except httpx.TransportError as error:
            self._fail(error)
        else:
            if answer and self._waiter:
                self._waiter.set_result(answer)

    def _be_late(self) -> None:
        self._fail(httpx.ReadTimeout("no whole answer in time"))

    def _fail(self, error: Exception) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(error)
