"""Lets pages of the ALLOWED_ORIGINS read every answer of both tiers. Cookies play no part in it."""

from __future__ import annotations

from contracts.exchange import Request, Response
from contracts.origins import Origins

PREFLIGHT = Response(
    204,
    b"access-control-allow-methods: GET, POST\r\n"
    b"access-control-allow-headers: Content-Type, Idempotency-Key,"
    b" traceparent, tracestate, baggage, sentry-trace, x-request-id\r\n"
    b"access-control-max-age: 600\r\n",
)
VARY = b"vary: Origin\r\n"
ALLOWED = b"access-control-allow-origin: %b\r\naccess-control-expose-headers: Retry-After\r\n"


def preflight(request: Request) -> Response | None:
    """The answer to a browser that asks before it sends, None for any other request. Unless the
    answer then allows the page's origin, the browser takes it for a no."""
    if request.method == "OPTIONS" and b"access-control-request-method" in request.headers:
        return PREFLIGHT
    return None


def lines(request: Request, origins: Origins) -> bytes:
    """The header lines that say whether the page that asks may read the answer."""
    origin = request.header(b"origin")
    if not origins.allow_reading(origin, request.header(b"host")):
        return VARY
    return VARY + ALLOWED % origin


def marked(response: Response, request: Request, origins: Origins) -> Response:
    """`response`, which says whether the page that asked may read it."""
    return response.also(lines(request, origins))
