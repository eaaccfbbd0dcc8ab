"""What this process's sockets are shown of one room, and what its peers are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast
from uuid import UUID

from contracts.sockets import Close
from realtime.core.commands import Refresh
from realtime.core.effects import Effect, Enter, RefreshSoon, ToEach
from realtime.core.rows import Revision, RoomKey
from realtime.engine import announcements
from realtime.engine.announcements import Announcement, News, Relayed, announcement_of
from realtime.engine.deadlines import Deadlines
from realtime.engine.feed import Feed
from realtime.engine.hub import Connection
from realtime.engine.memory import Engine, Settled
from realtime.engine.posts import Post
from realtime.engine.refresher import Refresher
from realtime.engine.store import Busy, StorageUnavailable

PEER_REFRESHES_S = 2.0  # a peer that owes everybody a view has sent it by then; if not, we do


class Showing:
    """Sends what was decided, here or by a peer, and knows whether those here are up to date."""

    def __init__(
        self,
        key: RoomKey,
        engine: Engine,
        deadlines: Deadlines,
        *,
        on_refresh: Callable[[], None],
        on_gap: Callable[[], None],
    ) -> None:
        """`on_refresh` is called when everybody is owed a fresh view, `on_gap` when those here are
        who missed something: then `behind` is true."""
        self._key = key
        self._engine = engine
        self._deadlines = deadlines
        self._on_gap = on_gap
        self._refresher = Refresher(engine.limits.refresh_interval_s, on_refresh)
        self._reserve = Refresher(PEER_REFRESHES_S, self.fall_behind)
        self._feed: Feed | None = None  # None: nobody here was ever shown the room
        self._missed = False  # something, for good: only a view makes up for it
        self._uuid: UUID | None = None
        self.elsewhere: frozenset[str] = frozenset()  # ids of the peers who have sockets of it

    @property
    def busy(self) -> bool:
        """Whether a view is owed."""
        return self._refresher.owing or self._reserve.owing

    @property
    def watched(self) -> bool:
        """Whether anybody is connected, here or elsewhere. Who comes later is shown a view then."""
        return bool(self.elsewhere or self._engine.hub.present(self._key))

    @property
    def behind(self) -> bool:
        """Whether those here are owed a fresh view at once."""
        return self._feed is not None and (self._feed.behind or self._missed)

    def follow(self) -> None:
        """Listen to what peers decide, before anybody here is shown the room: from the turn on that
        shows it, they tell this process."""
        if self._feed is None:
            self._feed = Feed(self._show, self._on_gap)

    def heard(self, news: News) -> None:
        """A peer has something to tell those who are here."""
        if self._feed is None or (self._uuid and news.uuid != self._uuid):
            return
        if isinstance(news, Announcement):
            self._feed.heard(news)
        else:
            self._engine.hub.broadcast(self._key, news.frame)

    @property
    def revision(self) -> Revision | None:
        """The revision up to which the sockets here were shown the room; None without any."""
        return self._feed.told if self._feed else None

    def head(self, version: int) -> None:
        """Storage has the room at this version."""
        if self._feed:
            self._feed.head(version)

    def catching_up(self) -> Post:
        """Ask for the fresh view that those here are owed."""
        if self._feed:
            self._feed.asking()
        return Post(Refresh(self._engine.peers.process))

    def relay(self, frame: bytes) -> None:
        """Pass a volatile frame on to everybody, wherever they are."""
        self._engine.hub.broadcast(self._key, frame)
        if self.elsewhere and self._uuid:
            self._publish(Relayed(self._key, self._uuid, frame))

    async def catch_up(self, settled: Settled) -> bool:
        """Whether those here know what a batch was run on, or learn it from a fresh view in it. If
        not yet, wait a moment for what peers announce. A view is not fresh when those here were
        told more while storage confirmed what it was made of.

        Those who were shown a history that storage has lost are sent away first."""
        feed = self._feed
        if feed is None or self._leave_lost_room(settled):
            return True
        patient = self._engine.bus.up and not self.behind
        known = await feed.reached(settled.base.version, patient=patient)
        if feed.told != settled.base and not await self._passed(feed.told):
            self._send_away(Close.RESTART)
            return True
        if feed.beyond(settled.after.version):
            return not _shows(settled)
        return known or _refreshes(settled)

    def _leave_lost_room(self, settled: Settled) -> bool:
        """Whether nobody is left who was shown this room: its code may name another by now."""
        hub, feed = self._engine.hub, self._feed
        gone = not settled.after.version or self._uuid not in (None, settled.uuid)
        if gone and hub.present(self._key):
            self._send_away(Close.ROOM_NOT_FOUND)
        elif feed and not hub.present(self._key):
            feed.forget()
        return not hub.present(self._key)

    async def _passed(self, told: Revision | None) -> bool:
        """Whether storage's history is the one that was shown. Those who can't know come back."""
        if told is None:
            return True
        task = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            with self._deadlines.limit(task):
                return await self._engine.store.passed(self._key, told)
        except (StorageUnavailable, Busy, TimeoutError) as problem:
            self._engine.complaints.add(str(problem) or "no answer in time")
            return False

    def _send_away(self, code: Close) -> None:
        """Close the sockets here: what comes next is no continuation of what they were shown."""
        self._engine.hub.expel(self._key, code)
        self._missed = False
        if self._feed:
            self._feed.forget()

    def deliver(self, effects: Sequence[Effect], origin: Connection | None) -> None:
        """Send what a turn of ours asks to send to those here; `origin` is who asked."""
        self._deliver(effects, origin, self._refresher)

    def tell_peers(self, settled: Settled) -> None:
        """Tell the peers who have sockets here of a batch. They find the order themselves."""
        self.elsewhere = settled.processes - {self._engine.peers.process}
        if self.elsewhere:
            announcement = announcement_of(self._key, settled)
            if announcement.effects or settled.after != settled.base:
                self._publish(announcement)

    def told(self, settled: Settled) -> None:
        """Everybody here was told of a batch."""
        if self._feed:
            if self._uuid != settled.uuid:
                self._feed.only(settled.uuid)
            self._feed.shown(settled.after)
            if _refreshes(settled):
                self._feed.answered(settled.after)
        self._uuid = settled.uuid
        self._missed = self._missed and not _refreshes(settled)

    def owe(self) -> None:
        """Owe everybody a fresh view, soon."""
        self._refresher.owe()

    def fall_behind(self) -> None:
        """Owe those here a fresh view, at once."""
        if self._feed:
            self._missed = True
            self._on_gap()

    def owe_nothing(self) -> None:
        """Plan no view, here or in the place of a peer."""
        self._refresher.cancel()
        self._reserve.cancel()

    def close(self) -> None:
        """Owe nobody anything, and hear no more. Nothing is kept that leads back to the actor: a
        room that is forgotten is freed at once, and does not wait for the collector."""
        self._refresher.close()
        self._reserve.close()
        self._on_gap = _nobody
        if self._feed:
            self._feed.close()
            self._feed = None

    def _show(self, announcement: Announcement) -> None:
        """Send what a peer has decided to those here. A view that it owes them is its to send."""
        self.elsewhere = announcement.processes - {self._engine.peers.process}
        self._deliver(announcement.effects, None, self._reserve)

    def _publish(self, news: News) -> None:
        self._engine.bus.publish(self.elsewhere, announcements.encode(news))

    def _deliver(
        self, effects: Sequence[Effect], origin: Connection | None, refresher: Refresher
    ) -> None:
        self._engine.hub.deliver(self._key, effects, origin)
        if not self.watched:
            return
        for effect in effects:
            if isinstance(effect, ToEach):
                self._refresher.shown(effect)
                self._reserve.cancel()
            elif isinstance(effect, RefreshSoon):
                refresher.owe()


def _nobody() -> None:
    """Told in the place of an actor that has ended."""


def _refreshes(settled: Settled) -> bool:
    return any(isinstance(one.post.command, Refresh) for one in settled.answered)


def _shows(settled: Settled) -> bool:
    """Whether somebody is shown the room by it."""
    effects = (effect for one in settled.answered for effect in one.turn.effects)
    return any(isinstance(effect, Enter | ToEach) for effect in effects)
