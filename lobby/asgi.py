"""From ASGI to the lobby's views and pages, and back.

On every request Django's handler and middleware mind database connections, sessions, users and
forms, and under ASGI they do it in threads: half a millisecond. The API has none of these, so its
paths go straight to their views.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve

from contracts.bodies import CallerGone, Receive, Send, read_body
from contracts.errors import Code, RoomError
from contracts.limits import BODY_MAX_BYTES
from lobby import cors
from lobby.errors import exception_handler
from lobby.pages import Pages


class LobbyApplication:
    """An ASGI application: the paths of lobby.api_urls, and on all others the pages."""

    def __init__(self) -> None:
        self._pages = Pages()
        self._origins = frozenset(settings.GREENROOM.allowed_origins)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close"})
        if scope["type"] != "http":
            raise ValueError(f"The lobby knows no {scope['type']}")
        try:
            response = await self._answer(scope, receive)
        except CallerGone:
            return None
        except Exception as error:  # noqa: BLE001  every failure has an answer
            response = exception_handler(error, {})
            response["Connection"] = "close"  # the rest of its body may be on the way
        return await _send(response, send, with_body=scope["method"] != "HEAD")

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> HttpResponse:
        match = _view_at(scope["path"])
        if match is None:
            return await self._page(scope, receive)
        request = _request(scope, await read_body(receive, BODY_MAX_BYTES))
        response: HttpResponse | None = cors.preflight(request)
        if response is None:
            response = await match.func(request, *match.args, **match.kwargs)
        cors.mark(response, request, self._origins)
        return response

    async def _page(self, scope: dict[str, Any], receive: Receive) -> HttpResponse:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = await read_body(receive, limit)
        if len(body) > limit:
            raise RoomError(Code.PAYLOAD_TOO_LARGE)
        return await self._pages.answer(_request(scope, body))


def _view_at(path: str) -> ResolverMatch | None:
    try:
        return resolve(path, "lobby.api_urls")
    except Resolver404:
        return None


def _request(scope: dict[str, Any], body: bytes) -> ASGIRequest:
    try:
        return ASGIRequest(scope, BytesIO(body))
    except ValueError:  # its query or a header is no text
        raise RoomError(Code.BAD_REQUEST) from None


async def _send(response: HttpResponse, send: Send, *, with_body: bool) -> None:
    fields = [(name.lower(), value) for name, value in response.items()]
    fields += [("set-cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    if not response.has_header("Content-Length") and response.status_code not in (204, 304):
        fields.append(("content-length", str(len(response.content))))
    headers = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": response.content if with_body else b""})
