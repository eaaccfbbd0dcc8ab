"""One room's changes, shown to this process's sockets in the order of their versions, whichever
process decided them.

What peers announce may be late or lost. So a change that does not follow what was shown last waits
a moment for those before it; when they don't come, everybody here is owed a fresh view.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

from realtime.engine.announcements import Announcement

GAP_S = 0.25  # how long a change waits for those before it
HELD_MAX = 256  # announcements that wait; more, and a fresh view takes their place

Show: TypeAlias = Callable[[Announcement], None]


class Feed:
    """Knows up to which version this process's sockets of one room were told."""

    def __init__(self, show: Show, on_gap: Callable[[], None]) -> None:
        """`show` sends an announcement out; `on_gap` is called when a fresh view is owed."""
        self._show = show
        self._on_gap = on_gap
        self._told: int | None = None  # None: nobody here was shown anything yet
        self._head = 0  # the newest version heard of
        self._held: dict[int, Announcement] = {}  # by the version they follow
        self._views: list[Announcement] = []  # of a version that is not told yet
        self._timer: asyncio.TimerHandle | None = None
        self._moved: asyncio.Future[None] | None = None
        self.behind = False  # a fresh view is owed

    def heard(self, announcement: Announcement) -> None:
        """A peer has decided a batch."""
        told = -1 if self._told is None else self._told
        if announcement.version < told or announcement.version == told != announcement.base:
            return
        if len(self._held) + len(self._views) >= HELD_MAX:
            self._held.clear()
            self._views.clear()
        if announcement.version == announcement.base:
            self._views.append(announcement)
        else:
            self._held[announcement.base] = announcement
        self.head(announcement.version)

    def only(self, uuid: UUID) -> None:
        """This is the room. What was heard or shown of another of its name means nothing."""
        self._told = None
        self._held = {base: one for base, one in self._held.items() if one.uuid == uuid}
        self._views = [one for one in self._views if one.uuid == uuid]
        self._head = max((one.version for one in (*self._held.values(), *self._views)), default=0)

    def head(self, version: int) -> None:
        """The room has come to this version."""
        self._head = max(self._head, version)
        self._advance()

    def shown(self, version: int) -> None:
        """Everybody here was shown the room up to this version."""
        self._told = max(self._told or 0, version)
        self._advance()

    async def reached(self, version: int, *, patient: bool) -> bool:
        """Wait until everybody here was told up to this version, if `patient` and for a moment."""
        if self._told is None or self._told >= version:
            return True
        if patient:
            deadline = asyncio.get_running_loop().time() + GAP_S
            try:
                async with asyncio.timeout_at(deadline):
                    while self._told < version:
                        await self._move()
            except TimeoutError:
                return False
        return self._told >= version

    def beyond(self, version: int) -> bool:
        """Whether those here were told more than this version says."""
        return self._told is not None and self._told > version

    def close(self) -> None:
        """Nothing is shown any more."""
        self._told = None
        self._stop_timer()

    def _move(self) -> asyncio.Future[None]:
        if self._moved is None or self._moved.done():
            self._moved = asyncio.get_running_loop().create_future()
        return self._moved

    def _advance(self) -> None:
        """Show what follows, and watch what does not."""
        if self._told is None:
            return
        while announcement := self._next(self._told):
            self._told = announcement.version
            self._show(announcement)
        if self._moved and not self._moved.done():
            self._moved.set_result(None)
        if self._head <= self._told:
            self._held.clear()
            self._views.clear()
            self.behind = False
            self._stop_timer()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GAP_S, self._gap)

    def _next(self, told: int) -> Announcement | None:
        for at, view in enumerate(self._views):
            if view.base == told:
                return self._views.pop(at)
        return self._held.pop(told, None)

    def _gap(self) -> None:
        self._timer = None
        self.behind = True
        self._on_gap()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
