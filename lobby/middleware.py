"""CORS for the API, and the admin's middleware kept away from it.

The API knows no session, no user and no form: each layer that it does not pass through is time
saved on every request, and a redirect or a cookie that cannot happen.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

API_PREFIX = "/api/"
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "600",
}

Handler = Callable[[HttpRequest], HttpResponse]


class Cors:
    """Lets pages of the ALLOWED_ORIGINS read the API's answers. Cookies play no part in it."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response
        self._origins = frozenset(settings.GREENROOM.allowed_origins)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API_PREFIX):
            return self._get_response(request)
        origin = request.META.get("HTTP_ORIGIN", "")
        response = _preflight(request) or self._get_response(request)
        response["Vary"] = "Origin"
        if origin in self._origins:
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = "Retry-After"
        return response


def _preflight(request: HttpRequest) -> HttpResponse | None:
    """The answer to a browser that asks before it sends. Without an allowed origin on it, the
    browser takes it for a no."""
    if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
        return HttpResponse(status=204, headers=PREFLIGHT_HEADERS)
    return None


class OffTheApi:
    """Mixed into a middleware, it leaves the API's requests to the next one."""

    get_response: Handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        response: HttpResponse = super().__call__(request)  # type: ignore[misc]
        return response


class StaticFiles(OffTheApi, WhiteNoiseMiddleware):
    """WhiteNoise, off the API."""


class Session(OffTheApi, SessionMiddleware):
    """Django's sessions, off the API."""


class Common(OffTheApi, CommonMiddleware):
    """Django's slash redirects and Host check, off the API."""


class Csrf(OffTheApi, CsrfViewMiddleware):
    """Django's CSRF tokens, off the API."""


class Authentication(OffTheApi, AuthenticationMiddleware):
    """Django's users, off the API."""


class Message(OffTheApi, MessageMiddleware):
    """Django's messages, off the API."""


class XFrameOptions(OffTheApi, XFrameOptionsMiddleware):
    """Django's clickjacking protection, off the API."""
