"""HTTP as a plain ASGI application: Django's own costs more than a register."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from contracts import jsonio
from contracts.bodies import CallerGone, Receive, Send, read_body
from contracts.errors import Code, RoomError
from contracts.incidents import report
from contracts.paths import canonical_room_id, is_id
from contracts.queries import Parameters, parameters
from realtime.auth import ServiceKeys
from realtime.core.rows import RoomKey
from realtime.engine.rooms import Rooms
from realtime.engine.store import StorageUnavailable

JSON = (b"content-type", b"application/json")


class Request(NamedTuple):
    """One HTTP request to this service."""

    scope: dict[str, Any]
    receive: Receive
    path: dict[str, str]

    def header(self, name: bytes) -> bytes:
        """The header's first value, or nothing."""
        return next((value for key, value in self.scope["headers"] if key == name), b"")

    @property
    def query(self) -> Parameters:
        """The parameters after the path."""
        return parameters(self.scope["query_string"])

    def room_in(self, rooms: Rooms) -> RoomKey:
        """The room in the path. Raises NOT_FOUND for what can be no room of any party."""
        if not is_id(self.path["room_id"]):
            raise RoomError(Code.NOT_FOUND)
        party = rooms.party(self.path["party"])
        return RoomKey(party.slug, canonical_room_id(self.path["room_id"]))

    def require_service_key(self, keys: ServiceKeys) -> None:
        """Raise UNAUTHORIZED unless the caller shows a service key."""
        if not keys.allow(self.header(b"authorization")):
            raise RoomError(Code.UNAUTHORIZED, "Missing or wrong service key")

    async def body(self, limit_bytes: int) -> bytes:
        """The JSON body, counted as it streams in. Raises 413 and 415."""
        if self.header(b"content-type").partition(b";")[0].strip().lower() != b"application/json":
            raise RoomError(Code.UNSUPPORTED_MEDIA_TYPE)
        body = await read_body(self.receive, limit_bytes)
        if len(body) > limit_bytes:
            raise RoomError(Code.PAYLOAD_TOO_LARGE)
        return body


class Answer(NamedTuple):
    """A status and a body that JSON can hold."""

    status: int
    body: object


Handler = Callable[[Request], Awaitable[Answer]]


class Route(NamedTuple):
    """What is done at the paths of this form, by the one method that they take."""

    pattern: re.Pattern[str]
    method: str
    handler: Handler


class HttpApplication:
    """Answers one request; every refusal is the catalogue's JSON."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            handler, path = self._route(scope)
            status, answered = await handler(Request(scope, receive, path))
            body, headers = jsonio.encode(answered), {}
        except CallerGone:
            return
        except Exception as error:  # noqa: BLE001  every failure has an answer
            refusal = _as_room_error(error)
            status, headers, body = refusal.status, refusal.headers, jsonio.encode(refusal.body)
        await _answer(send, status, body, headers)

    def _route(self, scope: dict[str, Any]) -> tuple[Handler, dict[str, str]]:
        for pattern, method, handler in self._routes:
            if match := pattern.fullmatch(scope["path"]):
                if scope["method"] != method:
                    raise MethodNotAllowed(method)
                return handler, match.groupdict()
        raise RoomError(Code.NOT_FOUND)


def _as_room_error(error: Exception) -> RoomError:
    if isinstance(error, StorageUnavailable):
        return RoomError(Code.STORAGE_UNAVAILABLE)
    return error if isinstance(error, RoomError) else report(error, "http")


class MethodNotAllowed(RoomError):
    """405, with the header that names what is allowed."""

    def __init__(self, allowed: str) -> None:
        super().__init__(Code.METHOD_NOT_ALLOWED)
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        """The Allow header."""
        return {"Allow": self.allowed}


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    fields = [JSON, (b"content-length", str(len(body)).encode())]
    fields += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
