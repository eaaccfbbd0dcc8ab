"""The API's own way from WSGI to its views and back; any other path is Django's.

On every request Django's handler and middleware mind database connections, sessions, users and
forms. The API has none of these, and without them a lobby process answers a third more requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import Resolver404, ResolverMatch, resolve

from lobby import cors


class LobbyApplication:
    """A WSGI application: the paths of lobby.api_urls here, all others in `django`."""

    def __init__(self, django: WSGIApplication) -> None:
        self._django = django
        self._origins = frozenset(settings.GREENROOM.allowed_origins)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = WSGIRequest(environ)
        try:
            match = resolve(request.path_info, "lobby.api_urls")
        except Resolver404:
            return self._django(environ, start_response)
        response = self._answer(request, match)
        status = f"{response.status_code} {response.reason_phrase}"
        start_response(status, list(response.items()))
        return [response.content]

    def _answer(self, request: WSGIRequest, match: ResolverMatch) -> HttpResponse:
        response = cors.preflight(request) or match.func(request, *match.args, **match.kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        cors.mark(response, request, self._origins)
        return response
