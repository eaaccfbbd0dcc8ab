"""What a request says: its body, read up to a limit and decoded once, and its Idempotency-Key."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from rest_framework.request import Request

from contracts import jsonio
from contracts.errors import Code, RoomError, bad_request
from contracts.limits import BODY_MAX_BYTES

T = TypeVar("T", bound=msgspec.Struct)

KEY_PATTERN = "[A-Za-z0-9_-]{22,128}"
_KEY = re.compile(KEY_PATTERN)
_JSON = re.compile(r'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)


def decoded(request: Request, model: type[T]) -> T:
    """The body as `model`. Raises UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE or BAD_REQUEST."""
    if not _JSON.fullmatch(request.META.get("CONTENT_TYPE", "")):
        raise RoomError(Code.UNSUPPORTED_MEDIA_TYPE)
    return jsonio.decode(_read(request), model)


def idempotency_key(request: Request) -> str:
    """The key that the caller chose, or an empty string."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        raise bad_request("Idempotency-Key", "must be 22-128 letters, digits, - or _")
    return str(key)


def _read(request: Request) -> bytes:
    """One byte more than the limit is enough to know, whatever length was announced."""
    body: bytes = request.read(BODY_MAX_BYTES + 1)
    if len(body) > BODY_MAX_BYTES:
        raise RoomError(Code.PAYLOAD_TOO_LARGE)
    return body
