"""The messages a party takes from clients: declared once, read at the edge by their models."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.sockets import Empty

H = TypeVar("H", bound=Callable[..., None])
S = TypeVar("S", bound=Struct)


class Message(NamedTuple):
    """A message type that clients may send."""

    kind: str
    payload: type[Struct]
    handler: Callable[..., None]
    volatile: bool


def message(
    kind: str, payload: type[Struct] = Empty, *, volatile: bool = False
) -> Callable[[H], H]:
    """Let clients send `kind`, with a payload that `payload` can read.

    The handler is called with the room, the player and the payload. A volatile message changes
    nothing and is not kept: its handler gets a `Relay` in place of the room and the player, and
    what it broadcasts leaves at once.
    """

    def declare(handler: H) -> H:
        if inspect.iscoroutinefunction(handler):
            raise TypeError(f"{handler.__qualname__} handles {kind}: write `def`, not `async def`")
        handler.message = Message(kind, payload, handler, volatile)  # type: ignore[attr-defined]
        return handler

    return declare


def declared(party: type) -> dict[str, Message]:
    """The messages that this class itself declares."""
    found = (getattr(value, "message", None) for value in vars(party).values())
    return {item.kind: item for item in found if isinstance(item, Message)}


def read_payload(kind: str, model: type[S], payload: msgspec.Raw) -> S:
    """The payload as its model. Raises BAD_REQUEST `Invalid <TYPE> payload`."""
    try:
        return jsonio.decode_checked(payload, model, path="payload")
    except RoomError as error:
        headline = f"Invalid {kind} payload"
        raise RoomError(Code.BAD_REQUEST, headline, details=error.details) from None
