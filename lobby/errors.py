"""Every failure of the lobby as one canonical JSON answer, whoever raised it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.views import APIView

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.exchange import Response
from contracts.incidents import report
from lobby.answers import refusal

logger = logging.getLogger(__name__)


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """REST framework's hook, for views of its own: what one raised, as a page."""
    return _page(_as_room_error(error), _allow(error, context["view"]))


def refusal_of(error: Exception, view: APIView | None = None) -> Response:
    """What was raised for a request to the API, in `view` if it came so far, as its answer."""
    response = refusal(_as_room_error(error))
    for name, value in _allow(error, view).items():
        response = response.also(f"{name.lower()}: {value}\r\n".encode())
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return _page(RoomError(Code.NOT_FOUND))


def not_allowed(response: HttpResponse) -> HttpResponse:
    """A 405 of Django's or WhiteNoise's, which says nothing, as ours."""
    return _page(RoomError(Code.METHOD_NOT_ALLOWED), {"Allow": response.get("Allow", "")})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a request that its own layers refuse."""
    host_is_unknown = isinstance(exception, DisallowedHost)
    message = "ALLOWED_HOSTS does not name this host" if host_is_unknown else ""
    return _page(RoomError(Code.BAD_REQUEST, message))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; Django has written the traceback to the log."""
    return _page(RoomError(Code.INTERNAL_ERROR))


def _page(error: RoomError, more: Mapping[str, str] = MappingProxyType({})) -> HttpResponse:
    headers = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff"}
    headers |= error.headers | dict(more)
    return HttpResponse(jsonio.encode(error.body), status=error.status, headers=headers)


def _allow(error: Exception, view: APIView | None) -> dict[str, str]:
    """The header that 405 comes with."""
    if view is None or not isinstance(error, exceptions.MethodNotAllowed):
        return {}
    return {"Allow": ", ".join(view.allowed_methods)}


def _as_room_error(error: Exception) -> RoomError:
    match error:
        case RoomError():
            return error
        case exceptions.Throttled():
            return RoomError(Code.RATE_LIMITED, retry_after_s=error.wait)
        case exceptions.MethodNotAllowed():
            return RoomError(Code.METHOD_NOT_ALLOWED)
        case exceptions.UnsupportedMediaType():
            return RoomError(Code.UNSUPPORTED_MEDIA_TYPE)
        case Http404() | exceptions.NotFound() | exceptions.NotAcceptable():
            return RoomError(Code.NOT_FOUND)
        case SuspiciousOperation():  # for instance a query of a thousand fields
            return RoomError(Code.BAD_REQUEST)
        case exceptions.APIException() if error.status_code < 500:
            return RoomError(Code.BAD_REQUEST)
        case _:
            return report(error, "lobby")
