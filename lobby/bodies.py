"""What a request says: its body, decoded once, and its Idempotency-Key."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from contracts import jsonio
from contracts.errors import bad_request
from contracts.json_body import json_body
from contracts.limits import BODY_MAX_BYTES
from lobby.requests import ApiRequest

T = TypeVar("T", bound=msgspec.Struct)

KEY_PATTERN = "[A-Za-z0-9_-]{22,128}"
_KEY = re.compile(KEY_PATTERN)


def decoded(request: ApiRequest, model: type[T]) -> T:
    """The body as `model`. Raises UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE or BAD_REQUEST."""
    return jsonio.decode(json_body(request.sent, BODY_MAX_BYTES), model)


def idempotency_key(request: ApiRequest) -> str:
    """The key that the caller chose, or an empty string."""
    if b"idempotency-key" not in request.sent.headers:
        return ""
    key = request.header(b"idempotency-key").decode("latin-1")
    if not _KEY.fullmatch(key):
        raise bad_request("Idempotency-Key", "must be 22-128 letters, digits, - or _")
    return key
