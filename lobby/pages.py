"""What is Django's: the admin, the API's documentation, and the files that both need."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from contracts.errors import Code, RoomError
from lobby.errors import not_allowed

WAITING_MAX = 100  # pages asked for and not yet made; one more is 503


class Pages(BaseHandler):
    """Django's middleware and views, in a thread, one request after the other.

    One thread keeps the API out of their way: hashing passwords and drawing tables take as much of
    the machine as one thread can, and whoever waits is one of few. The loop sends what they made,
    so that nobody who reads slowly holds the thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()
        self._waiting = 0

    async def answer(self, request: ASGIRequest) -> HttpResponse:
        """Whatever Django has to say, errors included. Raises RATE_LIMITED, as 503, when too many
        wait already."""
        if self._waiting >= WAITING_MAX:
            raise RoomError(
                Code.RATE_LIMITED, "Too many pages are asked for, try again", status=503
            )
        self._waiting += 1
        try:
            return await sync_to_async(self._answer)(request)
        finally:
            self._waiting -= 1

    def _answer(self, request: ASGIRequest) -> HttpResponse:
        set_script_prefix("/")
        request_started.send(sender=type(self), scope=request.scope)
        response = self.get_response(request)
        try:
            whole = _whole(response)
        finally:
            response.close()
        return whole if whole.content or whole.status_code != 405 else not_allowed(whole)


def _whole(response: HttpResponseBase) -> HttpResponse:
    """The response with its content at hand; none of our files is large."""
    if isinstance(response, HttpResponse):
        return response
    whole = HttpResponse(b"".join(response), status=response.status_code)
    whole.headers, whole.cookies = response.headers, response.cookies
    return whole
