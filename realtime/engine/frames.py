"""Frames on their way to many sockets."""

from __future__ import annotations

from collections.abc import Sequence


class Frames:
    """Text frames for many sockets, in their order."""

    __slots__ = ("each", "joined")

    def __init__(self, each: Sequence[bytes]) -> None:
        self.each = each
        self.joined = b""  # all of them as they go over the network, once a wire has made it
