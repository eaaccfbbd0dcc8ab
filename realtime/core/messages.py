"""The messages a party takes from clients: declared once, read at the edge by their models."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.sockets import JOIN_ROOM, Empty

H = TypeVar("H", bound=Callable[..., None])
S = TypeVar("S", bound=Struct)


class Message(NamedTuple):
    """A message type that clients may send. Without a `payload` model, its payload is empty."""

    kind: str
    payload: type[Struct] | None
    volatile: bool
    name: str = ""  # of the party's method that handles it

    def check(self, handler: Callable[..., None]) -> None:
        """Raise TypeError unless the handler takes what it is given."""
        expected = ["self", *(["relay"] if self.volatile else ["room", "player"])]
        expected += ["payload"] if self.payload else []
        if len(inspect.signature(handler).parameters) != len(expected):
            form = f"def {handler.__name__}({', '.join(expected)})"
            raise TypeError(f"{handler.__qualname__} handles {self.kind}: write `{form}`")

    def canonical(self, payload: msgspec.Raw) -> msgspec.Raw:
        """The payload without what its model does not know. Raises BAD_REQUEST."""
        return jsonio.raw(read_payload(self.kind, self.payload or Empty, payload))

    def handle(self, payload: msgspec.Raw, party: object, *subjects: object) -> None:
        """Read the payload and call the handler. Raises BAD_REQUEST, and what the handler does."""
        read = read_payload(self.kind, self.payload or Empty, payload)
        handler = getattr(party, self.name)  # a subclass may have overridden it
        try:
            answer: object = handler(*subjects, *([read] if self.payload else []))
        except RoomError as error:
            raise _alike(self.kind, error) from None
        if answer is not None:
            raise TypeError(
                f"{handler.__qualname__} returned {answer!r}. A handler returns nothing: "
                "it calls room.reply, room.send or room.broadcast, or raises RoomError."
            )


def message(
    kind: str, payload: type[Struct] | None = None, *, volatile: bool = False
) -> Callable[[H], H]:
    """Let clients send `kind`, with a payload that `payload` can read.

    The handler is called with the room, the player and, if it has a model, the payload. A volatile
    message changes nothing and is not kept: its handler gets a `Relay` in place of the room and the
    player, and what it broadcasts leaves at once.
    """
    if not isinstance(kind, str):
        raise TypeError('Name the message\'s type: @message("TYPE")')
    if kind == JOIN_ROOM:
        raise TypeError(f"{kind} is the room's own: a party's hook for it is on_join")

    def declare(handler: H) -> H:
        declared = Message(kind, payload, volatile)
        declared.check(handler)
        handler.message = declared  # type: ignore[attr-defined]
        return handler

    return declare


def declared(party: type) -> dict[str, Message]:
    """The messages that this class itself declares. Raises TypeError for two of one type."""
    found: dict[str, Message] = {}
    for name, value in vars(party).items():
        one = getattr(value, "message", None)
        if not isinstance(one, Message):
            continue
        if one.kind in found:
            raise TypeError(f"{party.__name__} has two handlers for {one.kind}")
        found[one.kind] = one._replace(name=name)
    return found


def read_payload(kind: str, model: type[S], payload: msgspec.Raw) -> S:
    """The payload as its model. Raises BAD_REQUEST `Invalid <TYPE> payload`."""
    try:
        return jsonio.decode_checked(payload, model, path="payload")
    except RoomError as error:
        raise RoomError(Code.BAD_REQUEST, _headline(kind), details=error.details) from None


def _alike(kind: str, error: RoomError) -> RoomError:
    """A refusal that names a field of the payload, as the payload's model would have said it."""
    if any(detail.path.startswith("payload") for detail in error.details):
        return RoomError(error.code, _headline(kind), details=error.details)
    return error


def _headline(kind: str) -> str:
    return f"Invalid {kind} payload"
