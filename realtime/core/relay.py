"""What the handler of a volatile message sees: who sent it, and a way to pass it on."""

from __future__ import annotations

from collections.abc import Callable

from contracts import jsonio
from contracts.sockets import Frame


class Relay:
    """A volatile message on its way through. It can change nothing, and nothing of it is kept."""

    __slots__ = ("_to_all", "now", "player_id", "username")

    def __init__(
        self, player_id: str, username: str, now: float, to_all: Callable[[bytes], None]
    ) -> None:
        self.player_id = player_id
        self.username = username
        self.now = now  # seconds since the epoch
        self._to_all = to_all

    def broadcast(self, kind: str, payload: object) -> None:
        """Tell everybody in the room, the sender too, at once."""
        self._to_all(jsonio.encode(Frame(kind, payload=payload)))
