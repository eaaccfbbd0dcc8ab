"""Every failure of the lobby as one canonical JSON answer, whoever raised it."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions

from contracts.errors import Code, RoomError
from contracts.incidents import report
from lobby.answers import refusal

logger = logging.getLogger(__name__)


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """REST framework's hook: what a view raised, as an answer."""
    response = refusal(_as_room_error(error))
    if isinstance(error, exceptions.MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return refusal(RoomError(Code.NOT_FOUND))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a request that its own layers refuse."""
    host_is_unknown = isinstance(exception, DisallowedHost)
    message = "ALLOWED_HOSTS does not name this host" if host_is_unknown else ""
    return refusal(RoomError(Code.BAD_REQUEST, message))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; Django has written the traceback to the log."""
    return refusal(RoomError(Code.INTERNAL_ERROR))


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
