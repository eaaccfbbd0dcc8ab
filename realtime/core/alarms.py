"""Named due times, kept in the room's state: each takes effect once, and not before its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

RETRIES_S = (2, 4, 8, 16, 32, 64)  # pauses after each failure; after one more it is parked


class Due(Struct, frozen=True, omit_defaults=True):
    """When an alarm is due, and how often its handler has failed."""

    at: float  # seconds since the epoch
    failures: int = 0

    @property
    def parked(self) -> bool:
        """Whether it was given up, until somebody asks for another try."""
        return self.failures > len(RETRIES_S)

    def set_back(self, now: float, *, for_ever: bool = False) -> Due:
        """This alarm after its handler failed once more; tried `for_ever`, it is never parked."""
        if self.failures < len(RETRIES_S):
            return Due(now + RETRIES_S[self.failures], self.failures + 1)
        return Due(now + RETRIES_S[-1], self.failures) if for_ever else Due(now, self.failures + 1)


class Outlook(NamedTuple):
    """What a room's alarms come to."""

    next_at: float | None = None  # when the earliest is due, in seconds since the epoch
    parked: int = 0  # how many were given up


def outlook(alarms: Mapping[str, Due]) -> Outlook:
    """When the next alarm is due, and how many never will be."""
    next_at: float | None = None
    parked = 0
    for due in alarms.values():
        if due.failures and due.parked:
            parked += 1
        elif next_at is None or due.at < next_at:
            next_at = due.at
    return Outlook(next_at, parked)


def names_due(alarms: Mapping[str, Due], now: float) -> list[str]:
    """The alarms whose time has come, in the order of their times."""
    ready = [(due.at, name) for name, due in alarms.items() if due.at <= now and not due.parked]
    return [name for _, name in sorted(ready)]
