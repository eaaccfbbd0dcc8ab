"""A request to the API: what its views ask of it, and behind that Django's own."""

from __future__ import annotations

from functools import cached_property
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest

from contracts.asgi import scope_of
from contracts.errors import Code, RoomError
from contracts.exchange import Request

_PLAIN = frozenset({b"", b"application/json"})


class ApiRequest:
    """Gives what views and throttles use at once, and all else as REST framework's request does:
    from Django's, which costs more to make than most requests to answer, and is seldom asked."""

    def __init__(self, sent: Request) -> None:
        """Raises BAD_REQUEST when its query or a header is no text."""
        self.sent = sent
        self.method = sent.method.upper()
        self.header = sent.header
        if sent.query or sent.header(b"content-type") not in _PLAIN:
            _ = self.django

    @cached_property
    def django(self) -> ASGIRequest:
        """The same request as Django's. Raises BAD_REQUEST."""
        return django_request(self.sent)

    def __getattr__(self, name: str) -> Any:
        if name in ("django", "sent"):  # it could not be made: asking it for itself would never end
            raise AttributeError(f"A request without its {name}")
        return getattr(self.django, name)


def django_request(sent: Request) -> ASGIRequest:
    """A request as Django knows it. Raises BAD_REQUEST when its query or a header is no text."""
    try:
        return ASGIRequest(scope_of(sent), BytesIO(sent.body))
    except ValueError:
        raise RoomError(Code.BAD_REQUEST) from None
