"""Lets pages of the ALLOWED_ORIGINS read the API's answers. Cookies play no part in it."""

from __future__ import annotations

from collections.abc import Collection

from django.http import HttpRequest, HttpResponse

PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "600",
}


def preflight(request: HttpRequest) -> HttpResponse | None:
    """The answer to a browser that asks before it sends, None for any other request. Unless the
    answer then allows the page's origin, the browser takes it for a no."""
    if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
        return HttpResponse(status=204, headers=PREFLIGHT_HEADERS)
    return None


def mark(response: HttpResponse, request: HttpRequest, origins: Collection[str]) -> None:
    """Say on `response` whether the page that asked may read it."""
    response["Vary"] = "Origin"
    origin = request.META.get("HTTP_ORIGIN", "")
    if origin in origins:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = "Retry-After"
