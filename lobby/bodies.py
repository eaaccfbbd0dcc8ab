"""What a request says: its body, read up to a limit and decoded once, and its Idempotency-Key."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from contracts import jsonio
from contracts.errors import Code, RoomError, bad_request
from contracts.limits import BODY_MAX_BYTES
from lobby.requests import ApiRequest

T = TypeVar("T", bound=msgspec.Struct)

KEY_PATTERN = "[A-Za-z0-9_-]{22,128}"
_KEY = re.compile(KEY_PATTERN)
_JSON = re.compile(r'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)


def decoded(request: ApiRequest, model: type[T]) -> T:
    """The body as `model`. Raises UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE or BAD_REQUEST."""
    kind = request.header(b"content-type")
    if kind != b"application/json" and not _JSON.fullmatch(kind.decode("latin-1")):
        raise RoomError(Code.UNSUPPORTED_MEDIA_TYPE)
    body = request.sent.body
    if len(body) > BODY_MAX_BYTES:
        raise RoomError(Code.PAYLOAD_TOO_LARGE)
    return jsonio.decode(body, model)


def idempotency_key(request: ApiRequest) -> str:
    """The key that the caller chose, or an empty string."""
    if b"idempotency-key" not in request.sent.headers:
        return ""
    key = request.header(b"idempotency-key").decode("latin-1")
    if not _KEY.fullmatch(key):
        raise bad_request("Idempotency-Key", "must be 22-128 letters, digits, - or _")
    return key
