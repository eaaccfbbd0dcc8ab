"""Messages to clients as bytes. What all members share is encoded once."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from contracts import jsonio
from contracts.sockets import Frame


def frame(
    kind: str,
    payload: object,
    *,
    seq: int | UnsetType = UNSET,
    request_id: str | UnsetType = UNSET,
) -> bytes:
    """One message to one or many clients."""
    return jsonio.encode(Frame(kind, request_id, seq, payload))


class View:
    """A snapshot whose payload is an object of shared fields, encoded once, and personal ones."""

    __slots__ = ("_fields", "head", "shared")

    def __init__(
        self,
        kind: str,
        shared: Mapping[str, object],
        *,
        seq: int | UnsetType = UNSET,
        request_id: str | UnsetType = UNSET,
    ) -> None:
        _check_fields(shared)
        # The envelope's last field is its payload when the head is cut before `{}`.
        envelope = jsonio.encode({"type": kind, **_given(requestId=request_id, seq=seq)})
        self.head = envelope[:-1] + b',"payload":'
        self.shared = jsonio.encode(shared)
        self._fields = shared.keys()

    def own(self, personal: Mapping[str, object]) -> bytes:
        """The fields that only one player sees."""
        _check_fields(personal)
        if both := self._fields & personal.keys():
            raise ValueError(f"view and own_view both have {', '.join(sorted(both))}")
        return jsonio.encode(personal)

    def frame(self, personal: Mapping[str, object]) -> bytes:
        """The snapshot for one player."""
        return assemble(self.head, self.own(personal), self.shared)


def assemble(head: bytes, own: bytes, shared: bytes) -> bytes:
    """A snapshot from its parts; personal fields come first."""
    between = b"," if len(own) > 2 and len(shared) > 2 else b""
    return b"".join((head, own[:-1], between, shared[1:], b"}"))


def _check_fields(view: object) -> None:
    if not isinstance(view, Mapping):
        raise TypeError(f"A view is a mapping of fields, not {type(view).__name__}")


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not UNSET}
