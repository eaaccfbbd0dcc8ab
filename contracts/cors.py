"""Lets pages of the ALLOWED_ORIGINS read every answer of both tiers. Cookies play no part in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from contracts.exchange import Request, Response

PREFLIGHT = Response(
    204,
    b"access-control-allow-methods: GET, POST\r\n"
    b"access-control-allow-headers: Content-Type, Idempotency-Key,"
    b" traceparent, tracestate, baggage, sentry-trace, x-request-id\r\n"
    b"access-control-max-age: 600\r\n",
)
VARY = b"vary: Origin\r\n"
ALLOWED = b"access-control-allow-origin: %b\r\naccess-control-expose-headers: Retry-After\r\n"


class Origins(Protocol):
    """Knows which pages may read answers."""

    def allows(self, origin: bytes) -> bool:
        """Whether a page of this origin may."""


class ListedOrigins:
    """The origins of a list, spelled as browsers spell them."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def allows(self, origin: bytes) -> bool:
        """Whether a page of this origin may read answers."""
        return origin in self._origins


def preflight(request: Request) -> Response | None:
    """The answer to a browser that asks before it sends, None for any other request. Unless the
    answer then allows the page's origin, the browser takes it for a no."""
    if request.method == "OPTIONS" and b"access-control-request-method" in request.headers:
        return PREFLIGHT
    return None


def lines(request: Request, origins: Origins) -> bytes:
    """The header lines that say whether the page that asks may read the answer."""
    origin = request.headers.get(b"origin")
    if origin is None or not origins.allows(origin):
        return VARY
    return VARY + ALLOWED % origin


def marked(response: Response, request: Request, origins: Origins) -> Response:
    """`response`, which says whether the page that asked may read it."""
    return response.also(lines(request, origins))
