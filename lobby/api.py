"""The base of the API's views: REST framework without what a public JSON API does not use.

Measured in process, under Django's handler: 231 us a request with parsers, serializers and
renderers, 87 us without. (lobby/asgi.py then goes past that handler.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import MethodNotAllowed
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
    view_is_async = True  # Django looks at get, post and so on, which not every view has

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """REST framework's own, on the event loop: views wait for the realtime service there."""
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(self.request, *args, **kwargs)
            return await self._handler()(self.request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  every failure has an answer
            return self.handle_exception(error)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """What happens before the method's own function."""
        self.check_throttles(request)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: 405 and OPTIONS say Allow, the CORS middleware says Vary."""
        return {}

    def _handler(self) -> Callable[..., Awaitable[HttpResponse]]:
        name = str(self.request.method).lower()
        return getattr(self, name if name in self.http_method_names else "", self.not_allowed)

    async def not_allowed(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """405, as REST framework says it."""
        raise MethodNotAllowed(str(request.method))

    async def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """The methods that this path takes."""
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


class NothingView(ApiView):
    """Every path of the API that is none, by any method."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """There is nothing here, so no method is wrong either."""
        raise RoomError(Code.NOT_FOUND)
