"""An ASGI application as httpx.Client reaches it: in this process, and in this thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import httpx
from asgiref.sync import async_to_sync


class Chunks(httpx.AsyncByteStream):
    """A body as the client makes it, piece by piece."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._stream:
            yield chunk


def in_process(application: Any) -> httpx.ASGITransport:
    """httpx's own transport to an application whose scope is a plain dict."""
    return httpx.ASGITransport(application)


class AsgiTransport(httpx.BaseTransport):
    """httpx's own, for clients that are not asynchronous.

    What the application does in threads happens in the caller's: a test's database is its own.
    """

    def __init__(self, application: Any) -> None:
        self._transport = httpx.ASGITransport(application)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return async_to_sync(self._ask)(request)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        stream = Chunks(cast(Iterable[bytes], request.stream))
        asked = httpx.Request(request.method, request.url, headers=request.headers, stream=stream)
        response = await self._transport.handle_async_request(asked)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)
