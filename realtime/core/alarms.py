"""Named due times, kept in the room's state: each takes effect once, and not before its time."""

from __future__ import annotations

from collections.abc import Mapping

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

    def set_back(self, now: float) -> Due:
        """This alarm after its handler failed once more."""
        pause = RETRIES_S[self.failures] if self.failures < len(RETRIES_S) else 0
        return Due(now + pause, self.failures + 1)


def next_due(alarms: Mapping[str, Due]) -> float | None:
    """When the earliest alarm is due, in seconds since the epoch."""
    return min((due.at for due in alarms.values() if not due.parked), default=None)


def names_due(alarms: Mapping[str, Due], now: float) -> list[str]:
    """The alarms whose time has come, in the order of their times."""
    ready = [(due.at, name) for name, due in alarms.items() if due.at <= now and not due.parked]
    return [name for _, name in sorted(ready)]


def parked(alarms: Mapping[str, Due]) -> list[str]:
    """The alarms that were given up."""
    return [name for name, due in alarms.items() if due.parked]
