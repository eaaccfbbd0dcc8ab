"""The base of the API's views: REST framework without what a public JSON API does not use.

Measured in process, under Django's handler: 231 us a request with parsers, serializers and
renderers, 87 us without. (lobby/asgi.py then goes past that handler.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.views import APIView

from contracts.errors import Code, RoomError
from contracts.exchange import Response
from lobby.errors import refusal_of
from lobby.requests import ApiRequest


class ApiView(APIView):
    """No users, permissions, versions or media types to choose from: throttles, then the method.

    Views read bodies with `lobby.bodies` and return what `lobby.answers` makes.
    """

    parser_classes = ()
    renderer_classes = ()
    authentication_classes = ()
    permission_classes = ()
    view_is_async = True  # Django looks at get, post and so on, which not every view has

    @classmethod
    def answer(cls, request: ApiRequest, **kwargs: Any) -> Awaitable[Response]:
        """What the function made by `as_view` does, on a view of its own for each request."""
        view = cls()
        view.setup(request, **kwargs)
        return view.dispatch(request, **kwargs)

    async def dispatch(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """REST framework's own, on the event loop: views wait for the realtime service there."""
        try:
            self.initial(request, *args, **kwargs)
            return await self._handler()(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  every failure has an answer
            return self.handle_exception(error)

    def initial(self, request: ApiRequest, *args: Any, **kwargs: Any) -> None:
        """What happens before the method's own function."""
        self.check_throttles(request)

    def handle_exception(self, exc: Exception) -> Response:
        """What was raised, as an answer."""
        return refusal_of(exc, self)

    def _handler(self) -> Callable[..., Awaitable[Response]]:
        name = self.request.method.lower()
        return getattr(self, name if name in self.http_method_names else "", self.not_allowed)

    async def not_allowed(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """405, as REST framework says it."""
        raise MethodNotAllowed(request.method)

    async def options(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The methods that this path takes."""
        return Response(204, f"allow: {', '.join(self.allowed_methods)}\r\n".encode())


class NothingView(ApiView):
    """Every path of the API that is none, by any method."""

    schema = None

    def initial(self, request: ApiRequest, *args: Any, **kwargs: Any) -> None:
        """There is nothing here, so no method is wrong either."""
        raise RoomError(Code.NOT_FOUND)
