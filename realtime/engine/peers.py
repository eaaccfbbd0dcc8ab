"""Which other realtime processes live, by what storage says of their heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Container
from time import monotonic

from realtime.core.presence import Sight
from realtime.engine.store import Store


class Peers:
    """Knows the living, and believes that another is dead only after it has watched for long enough
    itself: after an outage of storage, everybody seems to have fallen silent at once.

    One that it meets for the first time lives until storage, asked after that, does not name it: it
    may have begun since storage was asked last.
    """

    def __init__(
        self,
        process: str,
        store: Store,
        *,
        lives_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """A process lives for `lives_s` from each of its heartbeats on. Where the store is not
        shared, there are no others."""
        self.process = process
        self._store = store
        self._lives_s = lives_s
        self._clock = clock
        self._living: frozenset[str] = frozenset()
        self._met: set[str] = set()  # of whom storage was not asked yet
        self._gone: set[str] = set()  # whom it did not name. One for each restart, so they are few
        self._beaten_at, self._sure_at = float("-inf"), float("inf")

    @property
    def interval_s(self) -> float:
        """Between two heartbeats."""
        return self._lives_s / 4

    def sight(self, here: frozenset[str]) -> Sight:
        """What this process knows of presence, with these players connected to it."""
        return Sight(self.process, here, self.living)

    @property
    def living(self) -> Container[str] | None:
        """The other processes that live; None while nobody can tell."""
        sure = not self._store.shared or self._clock() >= self._sure_at
        return self if sure else None

    def __contains__(self, process: object) -> bool:
        """Whether another process lives, as far as anybody can know."""
        if not self._store.shared or process in self._gone:
            return False
        if process not in self._living:
            self._met.add(str(process))
        return True

    async def beat(self) -> None:
        """One heartbeat. Raises StorageUnavailable and Busy."""
        known = self._living | self._met
        living = await self._store.beat(self.process)
        self._met -= known
        self._gone = (self._gone | known) - living
        now = self._clock()
        if now - self._beaten_at > self._lives_s / 2:
            self._sure_at = now + self._lives_s
        self._beaten_at = now
        self._living = living

    async def depart(self) -> None:
        """The last word. Raises StorageUnavailable and Busy."""
        await self._store.depart(self.process)
