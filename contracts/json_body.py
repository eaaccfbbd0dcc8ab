"""A request's body as JSON text: which kinds of body are taken, and how large one may be."""

from __future__ import annotations

import re

from contracts.errors import Code, RoomError
from contracts.exchange import Request

JSON = b"application/json"
BOM = b"\xef\xbb\xbf"  # the byte order mark in UTF-8: RFC 8259, 8.1, lets us pass over it
_JSON = re.compile(rb'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


def json_body(request: Request, limit_bytes: int) -> bytes:
    """The body of a request, which says itself that it is JSON, in UTF-8.

    Raises UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, and BAD_REQUEST for UTF-16 and UTF-32.
    """
    headers = request.headers
    kind = headers.get(b"content-type", b"")
    if kind != JSON and not _JSON.fullmatch(kind):
        raise RoomError(Code.UNSUPPORTED_MEDIA_TYPE)
    if b"content-encoding" in headers:
        _require_plain(headers[b"content-encoding"])
    body = request.body
    if len(body) > limit_bytes:
        raise RoomError(Code.PAYLOAD_TOO_LARGE)
    return body if body[:2] == b'{"' else _in_utf8(body)


def _require_plain(coding: bytes) -> None:
    """RFC 9110, 15.5.16: the answer says which codings would do."""
    if coding.strip().lower() not in (b"", b"identity"):
        raise RoomError(
            Code.UNSUPPORTED_MEDIA_TYPE,
            "This server takes no compressed bodies: send it without Content-Encoding",
            headers={"Accept-Encoding": "identity"},
        )


def _in_utf8(body: bytes) -> bytes:
    if body.startswith(_WIDE_BOMS) or b"\0" in body[:4]:
        raise RoomError(Code.BAD_REQUEST, "The body is UTF-16 or UTF-32: send JSON in UTF-8")
    return body.removeprefix(BOM)
