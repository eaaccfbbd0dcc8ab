"""Failures told to the operator: often enough to be seen, too rarely to fill a disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

INTERVAL_S = 10.0

logger = logging.getLogger(__name__)


class Complaints:
    """Logs the first failure at once, and then one line per `INTERVAL_S` with the newest."""

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`what` failed, in the plural: `calls to the realtime service`."""
        self._what = what
        self._clock = clock
        self._quiet_until = 0.0
        self._unsaid = 0

    def add(self, reason: str) -> None:
        """One more failure."""
        self._unsaid += 1
        if self._clock() < self._quiet_until:
            return
        count, self._unsaid = self._unsaid, 0
        self._quiet_until = self._clock() + INTERVAL_S
        logger.error("%d failed %s, the last: %s", count, self._what, reason)
