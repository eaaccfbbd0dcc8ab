"""What is Django's: the admin, the API's documentation, and the files that both need."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix


class Pages(BaseHandler):
    """Django's middleware and views, in a thread, one request after the other.

    One thread keeps the API out of their way: hashing passwords and drawing tables take as much of
    the machine as one thread can, and whoever waits is one of few. The loop sends what they made,
    so that nobody who reads slowly holds the thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()

    async def answer(self, request: ASGIRequest) -> HttpResponse:
        """Whatever Django has to say, errors included."""
        return await sync_to_async(self._answer)(request)

    def _answer(self, request: ASGIRequest) -> HttpResponse:
        set_script_prefix("/")
        request_started.send(sender=type(self), scope=request.scope)
        response = self.get_response(request)
        try:
            return _whole(response)
        finally:
            response.close()


def _whole(response: HttpResponseBase) -> HttpResponse:
    """The response with its content at hand; none of our files is large."""
    if isinstance(response, HttpResponse):
        return response
    whole = HttpResponse(b"".join(response), status=response.status_code)
    whole.headers, whole.cookies = response.headers, response.cookies
    return whole
