"""One room's changes, shown to this process's sockets in the order of their versions, whichever
process decided them.

What peers announce may be late or lost. So a change that does not follow what was shown last waits
a moment for those before it; when they don't come, everybody here is owed a fresh view.

A change follows the revision that has its version and its tag: a database that was set back counts
the same versions again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

from realtime.core.rows import Revision
from realtime.engine.announcements import Announcement

GAP_S = 0.25  # how long a change waits for those before it
HELD_MAX = 256  # announcements that wait; more, and a fresh view takes their place

Show: TypeAlias = Callable[[Announcement], None]


class Feed:
    """Knows up to which revision this process's sockets of one room were told."""

    def __init__(self, show: Show, on_gap: Callable[[], None]) -> None:
        """`show` sends an announcement out; `on_gap` is called when a fresh view is owed."""
        self._show = show
        self._on_gap = on_gap
        self.told: Revision | None = None  # None: nobody here was shown anything yet
        self._head = 0  # the newest version heard of
        self._asked_head = 0  # the same, when a view was asked for last
        self._held: dict[Revision, Announcement] = {}  # by the revision they follow
        self._views: list[Announcement] = []  # of a revision that is not told yet
        self._timer: asyncio.TimerHandle | None = None
        self._moved: asyncio.Future[None] | None = None
        self.behind = False  # a fresh view is owed

    def heard(self, announcement: Announcement) -> None:
        """A peer has decided a batch."""
        base, after, told = announcement.base, announcement.after, self.told
        if told and after.version == told.version and after.tag != told.tag:
            self._gap()  # there are two histories: storage knows which is the room's
            return
        if told and (after.version < told.version or after == told != base):
            return
        if len(self._held) + len(self._views) >= HELD_MAX:
            self._held.clear()
            self._views.clear()
        if after == base:
            self._views.append(announcement)
        else:
            self._held[base] = announcement
        self.head(after.version)

    def only(self, uuid: UUID) -> None:
        """This is the room. What was heard or shown of another of its name means nothing."""
        self.told = None
        self._held = {base: one for base, one in self._held.items() if one.uuid == uuid}
        self._views = [one for one in self._views if one.uuid == uuid]
        self._head = max(
            (one.after.version for one in (*self._held.values(), *self._views)), default=0
        )

    def head(self, version: int) -> None:
        """The room has come to this version."""
        self._head = max(self._head, version)
        self._advance()

    def shown(self, revision: Revision) -> None:
        """Everybody here was shown the room up to this revision."""
        if self.told is None or self.told.version < revision.version:
            self.told = revision
        self._advance()

    def asking(self) -> None:
        """Storage is about to be asked for a fresh view."""
        self._asked_head = self._head

    def answered(self, revision: Revision) -> None:
        """Storage was asked, and has the room at this revision. What was heard of before that and
        is beyond it was of a history that was lost."""
        if revision.version < self._head == self._asked_head:
            self._held.clear()
            self._views.clear()
            self._head = revision.version
        self._advance()

    async def reached(self, version: int, *, patient: bool) -> bool:
        """Wait until everybody here was told up to this version, if `patient` and for a moment."""
        if self.told is None or self.told.version >= version:
            return True
        if patient:
            deadline = asyncio.get_running_loop().time() + GAP_S
            try:
                async with asyncio.timeout_at(deadline):
                    while self.told.version < version:
                        await self._move()
            except TimeoutError:
                return False
        return self.told.version >= version

    def beyond(self, version: int) -> bool:
        """Whether those here were told more than this version says."""
        return self.told is not None and self.told.version > version

    def forget(self) -> None:
        """Nobody is left who was shown anything."""
        self.told = None
        self.behind = False
        self._stop_timer()

    def close(self) -> None:
        """Nothing is shown any more."""
        self.told = None
        self._stop_timer()

    def _move(self) -> asyncio.Future[None]:
        if self._moved is None or self._moved.done():
            self._moved = asyncio.get_running_loop().create_future()
        return self._moved

    def _advance(self) -> None:
        """Show what follows, and watch what does not."""
        if self.told is None:
            return
        while announcement := self._next(self.told):
            self.told = announcement.after
            self._show(announcement)
        if self._moved and not self._moved.done():
            self._moved.set_result(None)
        if self._head <= self.told.version:
            self._held.clear()
            self._views.clear()
            self.behind = False
            self._stop_timer()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GAP_S, self._gap)

    def _next(self, told: Revision) -> Announcement | None:
        for at, view in enumerate(self._views):
            if view.base == told:
                return self._views.pop(at)
        return self._held.pop(told, None)

    def _gap(self) -> None:
        self._stop_timer()
        self.behind = True
        self._on_gap()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
