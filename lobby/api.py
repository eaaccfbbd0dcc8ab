"""The base of the API's views: REST framework without what a public JSON API does not use.

Measured in process, under Django's handler: 231 us a request with parsers, serializers and
renderers, 87 us without. (lobby/wsgi.py then goes past that handler.)
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from contracts.errors import Code, RoomError


class ApiView(APIView):
    """No users, permissions, versions or media types to choose from: throttles, then the method.

    Views read bodies with `lobby.bodies` and return what `lobby.answers` makes.
    """

    parser_classes = ()
    renderer_classes = ()
    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """What happens before the method's own function."""
        self.check_throttles(request)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: 405 and OPTIONS say Allow, the CORS middleware says Vary."""
        return {}

    def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """The methods that this path takes."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


class NothingView(ApiView):
    """Every path of the API that is none, by any method."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """There is nothing here, so no method is wrong either."""
        raise RoomError(Code.NOT_FOUND)
