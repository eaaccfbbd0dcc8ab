"""Frames on their way to many sockets."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.websocket.writer import text_frame


class Frames:
    """Text frames for many sockets, in their order."""

    __slots__ = ("_joined", "each")

    def __init__(self, each: Sequence[bytes]) -> None:
        self.each = each
        self._joined = b""

    @property
    def joined(self) -> bytes:
        """All of them as they go over the network, made once for all sockets."""
        if not self._joined:
            self._joined = b"".join(map(text_frame, self.each))
        return self._joined
