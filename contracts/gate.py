"""How many callers may wait for one service at a time, and when to stop letting them wait."""

from __future__ import annotations

import threading
import time

from contracts.errors import Code, RoomError

PATIENCE_S = 1.0


class Gate:
    """Lets `places` callers in. When all are taken, others wait as long as the service answers
    somebody; `patience_s` after its last answer they are refused at once, or else an outage would
    hold every thread of the lobby, and with them its health checks.
    """

    def __init__(self, places: int, patience_s: float = PATIENCE_S) -> None:
        self._places = places
        self._patience_s = patience_s
        self._inside = 0
        self._answered_at = 0.0
        self._changed = threading.Condition()

    def enter(self) -> None:
        """Take a place, and `leave` later. Raises REALTIME_UNAVAILABLE."""
        with self._changed:
            now = time.monotonic()
            if not self._inside:
                self._answered_at = now  # nobody has asked, so nobody waits for an answer
            wait_s = self._answered_at + self._patience_s - now
            if not self._changed.wait_for(self._has_place, wait_s):
                raise RoomError(Code.REALTIME_UNAVAILABLE)
            self._inside += 1

    def leave(self, *, answered: bool) -> None:
        """Give the place back, and say whether the service answered at all."""
        with self._changed:
            self._inside -= 1
            if answered:
                self._answered_at = time.monotonic()
            self._changed.notify()

    def _has_place(self) -> bool:
        return self._inside < self._places
