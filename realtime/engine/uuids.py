"""Room ids of storage: by time, so that rooms of one evening lie together on disk."""

from __future__ import annotations

from random import getrandbits
from uuid import UUID


def uuid7(now: float) -> UUID:
    """A version 7 UUID (RFC 9562) of `now`, seconds since the epoch.

    Every index of a room's rows begins with it. Random ids would spread the rooms of one commit
    round over as many pages; these share a few. It names rows and opens nothing, so that it need
    not be hard to guess.
    """
    milliseconds = int(now * 1000) & 0xFFFF_FFFF_FFFF
    value = milliseconds << 80 | 0x7 << 76 | getrandbits(12) << 64 | 0x2 << 62 | getrandbits(62)
    return UUID(int=value)
