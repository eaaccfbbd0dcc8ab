"""A clock that nobody sets: seconds since some moment, the same for every thread of the process."""

from __future__ import annotations

import time

# Linux: it also counts while the machine is suspended.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def ticks() -> float:
    """Seconds since the machine was started, or some other moment that stays."""
    return time.clock_gettime(_CLOCK)
