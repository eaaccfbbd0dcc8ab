"""The API's own way from ASGI to its views and back; any other path is Django's.

On every request Django's handler and middleware mind database connections, sessions, users and
forms, and under ASGI they do it in threads: half a millisecond. The API has none of these.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

from asgiref.wsgi import WsgiToAsgi
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve

from contracts.limits import BODY_MAX_BYTES
from lobby import cors

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class LobbyApplication:
    """An ASGI application: the paths of lobby.api_urls here, all others in Django, by a thread."""

    def __init__(self, django: Any) -> None:
        self._django = WsgiToAsgi(django)
        self._origins = frozenset(settings.GREENROOM.allowed_origins)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            match = resolve(scope["path"], "lobby.api_urls")
        except Resolver404:
            return await self._django(scope, receive, send)
        request = ASGIRequest(scope, BytesIO(await _read(receive)))
        response = await self._answer(request, match)
        headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
        headers.append((b"content-length", str(len(response.content)).encode()))
        start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": response.content})
        return None

    async def _answer(self, request: ASGIRequest, match: ResolverMatch) -> HttpResponse:
        response: HttpResponse | None = cors.preflight(request)
        if response is None:
            response = await match.func(request, *match.args, **match.kwargs)
        cors.mark(response, request, self._origins)
        return response


async def _read(receive: Receive) -> bytes:
    """The body, or as much of it as shows that it is too large."""
    body, more = b"", True
    while more and len(body) <= BODY_MAX_BYTES:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    return body
