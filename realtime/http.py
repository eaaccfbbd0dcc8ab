"""HTTP without Django, whose own handler costs more than a register."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from contracts import cors, exchange, jsonio
from contracts.asgi import serve
from contracts.bodies import Receive, Send
from contracts.errors import Code, RoomError
from contracts.exchange import JSON_HEAD, NO_BODY, Response, refused
from contracts.incidents import report
from contracts.json_body import json_body
from contracts.origins import Origins
from contracts.paths import canonical_room_id, is_id
from contracts.queries import Parameters, parameters
from realtime.auth import ServiceKeys
from realtime.core.rows import RoomKey
from realtime.engine.rooms import Rooms
from realtime.engine.store import StorageUnavailable


class Request(NamedTuple):
    """One HTTP request to this service."""

    sent: exchange.Request
    path: dict[str, str]

    @property
    def query(self) -> Parameters:
        """The parameters after the path."""
        return parameters(self.sent.query)

    def room_in(self, rooms: Rooms) -> RoomKey:
        """The room in the path. Raises NOT_FOUND for what can be no room of any party."""
        if not is_id(self.path["room_id"]):
            raise RoomError(Code.NOT_FOUND)
        party = rooms.party(self.path["party"])
        return RoomKey(party.slug, canonical_room_id(self.path["room_id"]))

    def require_service_key(self, keys: ServiceKeys) -> None:
        """Raise UNAUTHORIZED unless the caller shows a service key."""
        if not keys.allow(self.sent.header(b"authorization")):
            raise RoomError(Code.UNAUTHORIZED, "Missing or wrong service key")

    def body(self, limit_bytes: int) -> bytes:
        """The JSON body. Raises 413 and 415."""
        return json_body(self.sent, limit_bytes)


class Answer(NamedTuple):
    """A status and a body that JSON can hold."""

    status: int
    body: object


Handler = Callable[[Request], Awaitable[Answer]]


class Route(NamedTuple):
    """What is done at the paths of this form, by the one method that they take; by HEAD too where
    that is GET. `body_max` says how many bytes of a request's body are worth reading; NO_BODY:
    none."""

    pattern: re.Pattern[str]
    method: str
    handler: Handler
    body_max: Callable[[exchange.Request], int] = lambda _: NO_BODY

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that these paths take."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


class HttpApplication:
    """Answers requests; every refusal is the catalogue's JSON."""

    def __init__(self, routes: Sequence[Route], origins: Origins) -> None:
        self._routes = routes
        self._origins = origins

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await serve(self, scope, receive, send)

    def route(self, request: exchange.Request) -> int:
        """Find what is done at its path."""
        for route in self._routes:
            if match := route.pattern.fullmatch(request.path):
                request.route = route, match.groupdict()
                return route.body_max(request) if request.method == route.method else NO_BODY
        return NO_BODY

    async def respond(self, request: exchange.Request) -> Response:
        """Do it."""
        try:
            handler, path = _handler(request)
            status, answered = await handler(Request(request, path))
            head = JSON_HEAD + cors.lines(request, self._origins)
            return Response(status, head, jsonio.encode(answered))
        except Exception as error:  # noqa: BLE001  every failure has an answer
            return self.refusal(request, _as_room_error(error))

    def refusal(self, request: exchange.Request, error: RoomError) -> Response:
        """The answer to a request for which nothing is done. No path takes OPTIONS, by which a
        browser asks first."""
        response = cors.preflight(request) or refused(error)
        return cors.marked(response, request, self._origins)


def _handler(request: exchange.Request) -> tuple[Handler, dict[str, str]]:
    if request.route is None:
        raise RoomError(Code.NOT_FOUND)
    route, path = request.route
    if request.method != route.method and request.method not in route.methods:
        allowed = ", ".join(route.methods)
        raise RoomError(Code.METHOD_NOT_ALLOWED, headers={"Allow": allowed})
    return route.handler, path


def _as_room_error(error: Exception) -> RoomError:
    if isinstance(error, StorageUnavailable):
        return RoomError(Code.STORAGE_UNAVAILABLE)
    return error if isinstance(error, RoomError) else report(error, "http")
