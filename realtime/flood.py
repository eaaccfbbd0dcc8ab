"""How much one socket may send. Pure: every `now` is seconds on a clock that never goes back."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from contracts.errors import Code, RoomError

VIOLATIONS_MAX = 60  # frames that were refused as too many
BAD_FRAMES_MAX = 10
WINDOW_S = 60.0  # the one in which both are counted


class FrameLimits(NamedTuple):
    """How many frames one socket may send; each number is a setting."""

    per_s: float  # ordinary ones, in the long run
    burst: float  # ordinary ones, at once
    any_per_s: float  # of any kind


class TokenBucket:
    """`per_s` in the long run, `burst` at once. It starts full."""

    __slots__ = ("_at", "_burst", "_level", "_per_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = self._level = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Take one token, if there is a whole one."""
        level = self._level + (now - self._at) * self._per_s
        if level > self._burst:
            level = self._burst
        self._at = now
        if level < 1:
            self._level = level
            return False
        self._level = level - 1
        return True

    @property
    def wait_s(self) -> float:
        """Seconds from the last `take`, which got nothing, until one gets a token."""
        return (1 - self._level) / self._per_s


class Strikes:
    """Counts up to `limit` of what happened in the last `WINDOW_S`."""

    __slots__ = ("_times",)

    def __init__(self, limit: int) -> None:
        self._times: deque[float] = deque(maxlen=limit)

    def add(self, now: float) -> bool:
        """Count one more. Whether `limit` is reached."""
        self._times.append(now)
        return len(self._times) == self._times.maxlen and self._times[0] > now - WINDOW_S


class FloodGuard:
    """Judges the frames of one socket, which is to be closed once it has `flooded`. That is after

    - more than `any_per_s` frames of any kind;
    - VIOLATIONS_MAX violations in the last WINDOW_S: ordinary frames, which are all that are not
      volatile, above `per_s` and `burst`;
    - BAD_FRAMES_MAX bad frames in the last WINDOW_S.

    Without limits only the bad ones count. What most sockets never need is made when it is
    needed: there may be many thousand sockets.
    """

    __slots__ = ("_any", "_bad_frames", "_ordinary", "_violations", "_volatile", "flooded")

    def __init__(self, limits: FrameLimits | None) -> None:
        self.flooded = False
        self._any: TokenBucket | None = None
        self._ordinary: TokenBucket | None = None
        self._volatile: TokenBucket | None = None
        self._violations: Strikes | None = None
        self._bad_frames: Strikes | None = None
        if limits:
            self._any = TokenBucket(limits.any_per_s, limits.any_per_s)
            self._ordinary = TokenBucket(limits.per_s, limits.burst)

    def hears(self, now: float) -> bool:
        """Count a frame, whatever is in it. Whether it may be read at all."""
        if self._any is None or self._any.take(now):
            return True
        self.flooded = True
        return False

    def relays(self, per_s: float, now: float) -> bool:
        """Count a volatile frame of a party that allows `per_s`. If it is too many, drop it."""
        if self._any is None:
            return True
        if self._volatile is None:
            self._volatile = TokenBucket(per_s, max(per_s, 1))
        return self._volatile.take(now)

    def admit(self, now: float) -> None:
        """Count an ordinary frame. Raises RATE_LIMITED: it is one too many."""
        if self._ordinary is None or self._ordinary.take(now):
            return
        if self._violations is None:
            self._violations = Strikes(VIOLATIONS_MAX)
        self.flooded |= self._violations.add(now)
        raise RoomError(Code.RATE_LIMITED, retry_after_s=self._ordinary.wait_s)

    def blame(self, now: float) -> None:
        """Count a bad frame."""
        if self._bad_frames is None:
            self._bad_frames = Strikes(BAD_FRAMES_MAX)
        self.flooded |= self._bad_frames.add(now)
