"""The service's HTTP: a plain ASGI application, for Django's own costs more than a register."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from contracts import jsonio
from contracts.bodies import CallerGone, Receive, Send, read_body
from contracts.errors import Code, RoomError, bad_request
from contracts.http import Health, RegisterRequest
from contracts.incidents import report
from contracts.limits import BODY_MAX_BYTES
from contracts.paths import canonical_room_id, is_id
from contracts.usernames import clean_username
from realtime.auth import ServiceKeys, fingerprint, token_hash
from realtime.core.commands import Inspect, Register
from realtime.core.rows import RoomKey
from realtime.engine.rooms import Rooms
from realtime.engine.store import StorageUnavailable
from realtime.runtime import runtime

JSON = (b"content-type", b"application/json")


class Request(NamedTuple):
    """One HTTP request to this service."""

    scope: dict[str, Any]
    receive: Receive
    path: dict[str, str]

    def header(self, name: bytes) -> bytes:
        """The header's first value, or nothing."""
        return next((value for key, value in self.scope["headers"] if key == name), b"")

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


async def register(request: Request) -> Answer:
    """The lobby admits a player to a room, or creates the room with its host."""
    serving = await runtime()
    request.require_service_key(serving.service_keys)
    key = request.room_in(serving.rooms)
    ask = jsonio.decode(await request.body(BODY_MAX_BYTES), RegisterRequest)
    username = clean_username(ask.username)
    if not serving.rooms.party(key.party).offers_lobby:
        raise bad_request("party", "This party's rooms are not created or joined through the lobby")
    command = Register(
        player_id=ask.player_id,
        token_hash=token_hash(ask.player_token),
        fingerprint=fingerprint(ask),
        username=username,
        role=ask.role,
        is_host=ask.is_host,
        settings=ask.settings,
        visibility=ask.visibility,
    )
    return Answer(200, await serving.rooms.ask(key, command))


async def state(request: Request) -> Answer:
    """A room's summary, for anybody who knows its id."""
    rooms = (await runtime()).rooms
    return Answer(200, await rooms.ask(request.room_in(rooms), Inspect()))


async def healthz(request: Request) -> Answer:
    """The process runs."""
    return Answer(200, Health("ok"))


async def readyz(request: Request) -> Answer:
    """The process can do its work: storage answers, and its tables are as this code expects."""
    serving = await runtime()
    checks = await serving.store.check()
    if serving.draining:
        checks = {**checks, "draining": "this process is shutting down"}
    ready = all(found == "ok" for found in checks.values())
    return Answer(200 if ready else 503, Health("ok" if ready else "unavailable", checks))


Handler = Callable[[Request], Awaitable[Answer]]
_ROOM = r"/parties/(?P<party>[^/]+)/(?P<room_id>[^/]+)"
ROUTES: list[tuple[re.Pattern[str], str, Handler]] = [
    (re.compile(_ROOM + "/register"), "POST", register),
    (re.compile(_ROOM + "/state"), "GET", state),
    (re.compile("/healthz"), "GET", healthz),
    (re.compile("/readyz"), "GET", readyz),
]


async def http_application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request; every refusal is the catalogue's JSON."""
    try:
        handler, path = _route(scope)
        status, answered = await handler(Request(scope, receive, path))
        body, headers = jsonio.encode(answered), {}
    except CallerGone:
        return
    except Exception as error:  # noqa: BLE001  every failure has an answer
        refusal = _as_room_error(error)
        status, headers, body = refusal.status, refusal.headers, jsonio.encode(refusal.body)
    await _answer(send, status, body, headers)


def _as_room_error(error: Exception) -> RoomError:
    if isinstance(error, StorageUnavailable):
        return RoomError(Code.STORAGE_UNAVAILABLE)
    return error if isinstance(error, RoomError) else report(error, "http")


def _route(scope: dict[str, Any]) -> tuple[Handler, dict[str, str]]:
    for pattern, method, handler in ROUTES:
        if match := pattern.fullmatch(scope["path"]):
            if scope["method"] != method:
                raise MethodNotAllowed(method)
            return handler, match.groupdict()
    raise RoomError(Code.NOT_FOUND)


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
