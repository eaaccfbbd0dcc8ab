"""The error catalogue of both tiers: one code, one HTTP status, one default sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import ceil
from types import MappingProxyType
from typing import NamedTuple

import msgspec


class Code(StrEnum):
    """What went wrong, as clients read it."""

    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    ROOM_NOT_FOUND = "ROOM_NOT_FOUND"
    MATCH_NOT_FOUND = "MATCH_NOT_FOUND"
    PLAYER_NOT_FOUND = "PLAYER_NOT_FOUND"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    ROOM_FULL = "ROOM_FULL"
    USERNAME_TAKEN = "USERNAME_TAKEN"
    MATCH_ALREADY_STARTED = "MATCH_ALREADY_STARTED"
    ROOM_ALREADY_EXISTS = "ROOM_ALREADY_EXISTS"
    REQUEST_IN_PROGRESS = "REQUEST_IN_PROGRESS"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    UPGRADE_REQUIRED = "UPGRADE_REQUIRED"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    REALTIME_UNAVAILABLE = "REALTIME_UNAVAILABLE"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    ROOM_BUSY = "ROOM_BUSY"
    ROOM_UNREADABLE = "ROOM_UNREADABLE"
    REALTIME_TIMEOUT = "REALTIME_TIMEOUT"


_NONE: Mapping[str, str] = MappingProxyType({})


class Kind(NamedTuple):
    """What every error of one code has in common."""

    status: int
    message: str
    headers: Mapping[str, str] = _NONE  # of the HTTP answer


CATALOGUE: dict[Code, Kind] = {
    Code.BAD_REQUEST: Kind(400, "The request is not valid"),
    Code.UNAUTHORIZED: Kind(401, "Missing or wrong credentials"),
    Code.FORBIDDEN: Kind(403, "That is not allowed"),
    Code.ROOM_NOT_FOUND: Kind(404, "Room not found"),
    Code.MATCH_NOT_FOUND: Kind(404, "Match not found"),
    Code.PLAYER_NOT_FOUND: Kind(404, "Player not found"),
    Code.NOT_FOUND: Kind(404, "There is nothing at this path"),
    Code.METHOD_NOT_ALLOWED: Kind(405, "This path does not take that method"),
    Code.ROOM_FULL: Kind(409, "Room is full"),
    Code.USERNAME_TAKEN: Kind(409, "That username is already in use in this room."),
    Code.MATCH_ALREADY_STARTED: Kind(409, "Match already started"),
    Code.ROOM_ALREADY_EXISTS: Kind(409, "A room with this id already exists"),
    Code.REQUEST_IN_PROGRESS: Kind(409, "The same request is still being worked on"),
    Code.PAYLOAD_TOO_LARGE: Kind(413, "The body is too large"),
    Code.UNSUPPORTED_MEDIA_TYPE: Kind(415, "Send the body as application/json"),
    Code.IDEMPOTENCY_KEY_REUSED: Kind(422, "This key was used with another body"),
    Code.UPGRADE_REQUIRED: Kind(
        426,
        "This path is for WebSockets, and no WebSocket was asked for. If your client did ask, "
        "a proxy in between drops the headers Upgrade and Connection: let it pass them on",
        {"Upgrade": "websocket", "Connection": "Upgrade"},  # RFC 9110, 15.5.22
    ),
    Code.RATE_LIMITED: Kind(429, "Too many requests, slow down"),
    Code.INTERNAL_ERROR: Kind(500, "Something went wrong on our side"),
    Code.REALTIME_UNAVAILABLE: Kind(503, "The realtime service is not available, try again"),
    Code.STORAGE_UNAVAILABLE: Kind(503, "Storage is not available, try again"),
    Code.ROOM_BUSY: Kind(503, "The room is busy, try again"),
    Code.ROOM_UNREADABLE: Kind(503, "This room is of another version of the service"),
    Code.REALTIME_TIMEOUT: Kind(504, "The realtime service did not answer in time"),
}
RETRY_AFTER_S = 1.0  # what a 503 advises when nothing better is known


class Detail(msgspec.Struct, frozen=True):
    """One bad field: its dotted path in the body or payload, and what is wrong with it."""

    path: str
    message: str


class ErrorInfo(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The error object of HTTP bodies and of ERROR frames."""

    code: Code
    message: str
    retry_after_ms: int | None = None
    details: tuple[Detail, ...] = ()


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every HTTP answer that is not a success."""

    error: ErrorInfo


class RoomError(Exception):
    """A refusal that a caller may read. Raised in the core, it reaches the client unchanged.

    `status` differs from the catalogue's only where the answer came through a gateway (502).
    `headers` are those of the HTTP answer beside the catalogue's.
    """

    def __init__(
        self,
        code: Code,
        message: str = "",
        *,
        details: Sequence[Detail] = (),
        retry_after_s: float | None = None,
        status: int = 0,
        headers: Mapping[str, str] = _NONE,
    ) -> None:
        kind = CATALOGUE[code]
        self.code = code
        self.message = message or kind.message
        self.details = tuple(details)
        self.status = status or kind.status
        if retry_after_s is None and self.status == 503:
            retry_after_s = RETRY_AFTER_S
        self.retry_after_s = retry_after_s
        self._headers = {**kind.headers, **headers}
        super().__init__(f"{code}: {self.message}")

    @property
    def info(self) -> ErrorInfo:
        """The error as clients see it over a socket, where no header can carry the delay."""
        wait = self.retry_after_s
        return ErrorInfo(
            code=self.code,
            message=self.message,
            retry_after_ms=None if wait is None else max(1, ceil(round(wait * 1000, 3))),
            details=self.details,
        )

    @property
    def body(self) -> ErrorBody:
        """The error as an HTTP body; the delay travels in the Retry-After header."""
        return ErrorBody(ErrorInfo(self.code, self.message, details=self.details))

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to the answer."""
        if self.retry_after_s is None:
            return self._headers
        return {"Retry-After": str(max(1, -int(-self.retry_after_s // 1))), **self._headers}

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """All headers of the answer, as ASGI has them."""
        headers = {"content-type": "application/json", **self.headers}
        return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def bad_request(path: str, message: str, *, headline: str = "") -> RoomError:
    """A BAD_REQUEST that names one field by its path."""
    return RoomError(
        Code.BAD_REQUEST, headline or f"{path}: {message}", details=[Detail(path, message)]
    )
