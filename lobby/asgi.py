"""From requests to the lobby's views and pages, and back.

On every request Django's handler and middleware mind database connections, sessions, users and
forms, and under ASGI they do it in threads: half a millisecond. The API has none of these, so its
paths go straight to their views.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse

from config.env import Environment
from contracts import cors
from contracts.asgi import serve
from contracts.bodies import Receive, Send
from contracts.errors import Code, RoomError
from contracts.exchange import CLOSE, NO_BODY, Request, Response
from contracts.limits import BODY_MAX_BYTES
from lobby import api_urls
from lobby.answers import refusal
from lobby.errors import refusal_of
from lobby.pages import Pages
from lobby.requests import ApiRequest, django_request
from lobby.routes import Routes

FORMS = "/admin/"  # the only pages that are sent anything


class LobbyApplication:
    """An ASGI application: the paths of lobby.api_urls, and on all others the pages. A server of
    ours gives requests to `service` itself."""

    def __init__(self) -> None:
        self.service = LobbyService()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close"})
        if scope["type"] != "http":
            raise ValueError(f"The lobby knows no {scope['type']}")
        return await serve(self.service, scope, receive, send)


class LobbyService:
    """Answers every request to the lobby."""

    def __init__(self) -> None:
        self._pages = Pages()
        self._routes = Routes(api_urls.urlpatterns)
        environment: Environment = settings.GREENROOM
        self._origins = environment.origins

    def route(self, request: Request) -> int:
        """Find the view at its path; None is a page's."""
        request.route = self._routes.find(request.path)
        if request.route:
            return BODY_MAX_BYTES
        is_form = request.path.startswith(FORMS)
        return settings.DATA_UPLOAD_MAX_MEMORY_SIZE if is_form else NO_BODY

    async def respond(self, request: Request) -> Response:
        """Have it answered by its view, or as a page."""
        try:
            response = cors.preflight(request) or await self._answer(request)
        except Exception as error:  # noqa: BLE001  every failure has an answer
            # What fails out here may be broken, or longer than was read: so may be what follows it.
            response = refusal_of(error).also(CLOSE)
        return cors.marked(response, request, self._origins)

    def refusal(self, request: Request, error: RoomError) -> Response:
        """The answer to a request that no view has seen."""
        return cors.marked(refusal(error), request, self._origins)

    async def _answer(self, request: Request) -> Response:
        if request.route is None:
            return await self._page(request)
        view, arguments = request.route
        return await view.answer(ApiRequest(request), **arguments)

    async def _page(self, request: Request) -> Response:
        if len(request.body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RoomError(Code.PAYLOAD_TOO_LARGE)
        page = await self._pages.answer(django_request(request))
        return _as_response(page, bodiless=request.method == "HEAD")


def _as_response(page: HttpResponse, *, bodiless: bool) -> Response:
    """A page without its body says how long that would be."""
    fields = {name.lower(): value for name, value in page.items()}
    length = fields.pop("content-length", "")
    cookies = [("set-cookie", cookie.OutputString()) for cookie in page.cookies.values()]
    head = "".join([f"{name}: {value}\r\n" for name, value in [*fields.items(), *cookies]])
    announced = int(length) if bodiless and length else None
    return Response(page.status_code, head.encode("latin-1"), page.content, announced)
