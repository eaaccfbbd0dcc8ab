"""Refused web origins told to the operator, with the setting that would let them in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

INTERVAL_S = 60.0
NAMED_MAX = 16  # origins named in an interval: their text is a stranger's, and so is their number
SHOWN_MAX = 300  # characters of one origin

logger = logging.getLogger(__name__)


class RefusedOrigins:
    """Logs each refused origin once per `INTERVAL_S`, at most `NAMED_MAX` of them.

    When that is full, one line says that further ones are not named, and no more is remembered.
    """

    def __init__(
        self, allowed: Iterable[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`allowed` is what ALLOWED_ORIGINS holds now."""
        self._allowed = [*allowed]
        self._clock = clock
        self._quiet_until: dict[str, float] = {}  # by origin
        self._full_until = 0.0

    def add(self, origin: str, entry: str | None) -> None:
        """Note one refusal of `origin`; `entry` would let it in, None: nothing would."""
        shown, now = ascii(origin[:SHOWN_MAX]), self._clock()
        if self._quiet_until.get(shown, now) > now:
            return
        self._quiet_until = {one: until for one, until in self._quiet_until.items() if until > now}
        if len(self._quiet_until) < NAMED_MAX:
            self._quiet_until[shown] = now + INTERVAL_S
            self._say(shown, entry)
        elif self._full_until <= now:
            self._full_until = now + INTERVAL_S
            logger.warning("More than %d origins were refused in a minute.", NAMED_MAX)

    def _say(self, shown: str, entry: str | None) -> None:
        if entry is None:
            logger.warning("Refused the origin %s, which is not one that a browser sends.", shown)
            return
        value = ",".join([*self._allowed, entry])
        logger.warning(
            "Refused a page of the origin %s. If it is yours, set ALLOWED_ORIGINS=%s", shown, value
        )
