"""One room in this process: a mailbox, and one batch at a time from turn to commit to release."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container, Sequence
from uuid import UUID

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.incidents import report
from contracts.sockets import Close, ErrorFrame
from realtime.core.commands import Inspect, Refresh
from realtime.core.effects import Effect, RefreshSoon, ToEach
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.core.turns import Turn
from realtime.engine import announcements
from realtime.engine.announcements import Announcement, News, Relayed, announcement_of
from realtime.engine.departures import Departures
from realtime.engine.feed import Feed
from realtime.engine.hub import Connection
from realtime.engine.memory import Answered, Engine, Memory, Settled, looks
from realtime.engine.posts import Post
from realtime.engine.refresher import Refresher
from realtime.engine.store import Busy, StorageUnavailable, Unwritable

PEER_REFRESHES_S = 2.0  # a peer that owes everybody a view has sent it by then; if not, we do
ALARM_PAUSE_S = 0.01  # alarms that plan each other without a pause leave time for others


class Actor:
    """Runs one room's commands in the order they came. Holds a task only while there is work."""

    def __init__(
        self, party: Party, key: RoomKey, engine: Engine, on_empty: Callable[[RoomKey], None]
    ) -> None:
        self._key = key
        self._engine = engine
        self._on_empty = on_empty
        self._memory = Memory(party, key, engine)
        self._mailbox: deque[Post] = deque()  # full: ROOM_BUSY
        self._look: asyncio.Future[object] | None = None  # of the Inspect in the mailbox
        self._lookers = 0  # who share it. As many as the mailbox has places; then ROOM_BUSY
        self._task: asyncio.Task[None] | None = None
        self._refresher = Refresher(engine.limits.refresh_interval_s, self._ask_refresh)
        self._reserve = Refresher(PEER_REFRESHES_S, self._refresh_here)
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: float | None = None  # seconds since the epoch: what the timer waits for
        self._woken = False  # due alarms, or a change of presence, want a turn
        self._departures = Departures()
        self._feed: Feed | None = None  # None: nobody here was ever shown the room
        self._uuid: UUID | None = None
        self._elsewhere: frozenset[str] = frozenset()  # the other processes that have its sockets
        self.used_at = engine.clock()

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs or is owed. An alarm is no work yet."""
        works = self._task or self._mailbox or self._woken
        return not (works or self._refresher.owing or self._reserve.owing)

    def post(self, post: Post) -> None:
        """Put a command into the mailbox. Raises ROOM_BUSY when it is full."""
        if len(self._mailbox) >= self._engine.limits.mailbox_size:
            raise RoomError(Code.ROOM_BUSY)
        self.used_at = self._engine.clock()
        self._put(post)

    def look(self) -> asyncio.Future[object]:
        """The answer to an Inspect that has not begun; one that has may be older than the question.

        All who come meanwhile share it, so nobody may cancel it. Raises ROOM_BUSY.
        """
        if self._look is None or self._look.done():
            look: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            look.add_done_callback(lambda done: done.cancelled() or done.exception())
            self.post(Post(Inspect(), look))
            self._look, self._lookers = look, 0
        if self._lookers >= self._engine.limits.mailbox_size:
            raise RoomError(Code.ROOM_BUSY)
        self._lookers += 1
        return self._look

    def wake(self) -> None:
        """See to the alarms that are due."""
        self._woken = True
        self._start()

    def follow(self) -> None:
        """Listen to what peers decide, before anybody here is shown the room: from the turn on that
        shows it, they tell this process."""
        if self._feed is None:
            self._feed = Feed(self._show, self.wake)

    def heard(self, news: News) -> None:
        """A peer has something to tell those who are here."""
        if self._feed is None or (self._uuid and news.uuid != self._uuid):
            return
        if isinstance(news, Announcement):
            self._feed.heard(news)
        else:
            self._engine.hub.broadcast(self._key, news.frame)

    def head(self, version: int) -> None:
        """Storage has the room at this version."""
        if self._feed:
            self._feed.head(version)

    def relay(self, frame: bytes) -> None:
        """Pass a volatile frame on to everybody, wherever they are."""
        self._engine.hub.broadcast(self._key, frame)
        if self._elsewhere and self._uuid:
            self._publish(Relayed(self._key, self._uuid, frame))

    def look_around(self, living: Container[str]) -> None:
        """Have the room note it, if a process that had its sockets is not among the living."""
        if any(one not in living for one in self._elsewhere):
            self._departures.untold = True
            self.wake()

    def absent(self, player_id: str, *, by_peer: bool) -> None:
        """A player has no connection here any more."""
        self._departures.add(player_id, by_peer=by_peer)
        self.wake()

    def rest(self) -> None:
        """Plan nothing more. What the room itself plans is in storage, where the clock looks."""
        self._refresher.cancel()
        self._reserve.cancel()
        self._cancel_alarm()
        if self._feed:
            self._feed.close()

    async def close(self) -> None:
        """Plan nothing more, and wait until the mailbox is empty. Cancelled: what runs is, too, and
        those who wait are told to come back."""
        self._refresher.cancel()
        try:
            while task := self._task:
                await asyncio.wait([task])
        except asyncio.CancelledError:
            if self._task:
                self._task.cancel()
            self._turn_away([*self._mailbox])
            self._mailbox.clear()
            raise
        finally:
            self.rest()

    def _put(self, post: Post) -> None:
        self._mailbox.append(post)
        self._start()

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._mailbox or self._woken:
                await self._settle(self._next_batch())
        finally:
            self._task = None
        self._plan_alarm()
        if self._memory.empty:
            self._on_empty(self._key)

    def _next_batch(self) -> list[Post]:
        """What waits, up to a bound. It may be empty: then alarms that are due take effect."""
        if self._mailbox and looks(self._mailbox[0]):
            self._look = None
            return [self._mailbox.popleft()]
        self._woken = False
        batch: list[Post] = []
        while len(batch) < self._engine.limits.batch_size and self._mailbox:
            if looks(self._mailbox[0]):
                break
            batch.append(self._mailbox.popleft())
        if self._departures.untold:
            batch.insert(0, self._departures.post())
        if self._feed and self._feed.behind:
            batch.insert(0, Post(Refresh(self._engine.peers.process)))
        return batch

    async def _settle(self, batch: list[Post]) -> None:
        """Run a batch to its end: everybody in it is answered, whatever happens."""
        try:
            async with asyncio.timeout(self._engine.limits.commit_deadline_s):
                settled = await self._memory.run(batch)
        except asyncio.CancelledError:
            self._turn_away(batch)
            raise
        except Exception as problem:  # noqa: BLE001  whatever it is, it is this room's trouble alone
            self._departures.settled(batch, noted=False)
            for post, turn in self._failed(batch, problem):
                self._release(post, turn)
        else:
            self._departures.settled(batch, noted=True)
            await self._announce(settled)

    async def _announce(self, settled: Settled) -> None:
        """Tell everybody what is kept; those who are here, after what peers decided before it."""
        self._tell_peers(settled)
        followed = False
        try:
            followed = await self._follows(settled)
        finally:
            for post, turn in settled.answered:
                self._release(post, turn)
            self._told(settled)
            if not followed:
                self._fall_behind()

    async def _follows(self, settled: Settled) -> bool:
        """Whether those who are here know what the batch was run on, or learn it from a fresh view
        in it. If not yet, wait for what peers announce."""
        feed = self._feed
        if feed is None or not self._engine.hub.present(self._key):
            return True
        patient = self._engine.bus.up and not feed.behind
        if await feed.reached(settled.base, patient=patient):
            return True
        return any(isinstance(one.post.command, Refresh) for one in settled.answered)

    def _tell_peers(self, settled: Settled) -> None:
        """Tell the peers who have sockets of the room. They find the order themselves."""
        self._elsewhere = settled.audience - {self._engine.peers.process}
        if self._elsewhere:
            announcement = announcement_of(self._key, settled)
            if announcement.effects or settled.version > settled.base:
                self._publish(announcement)

    def _told(self, settled: Settled) -> None:
        """Everybody here was told."""
        if self._feed:
            if self._uuid != settled.uuid:
                self._feed.only(settled.uuid)
            self._feed.tell(settled.version)
        self._uuid = settled.uuid

    def _fall_behind(self) -> None:
        """Owe those who are here a fresh view, at once."""
        if self._feed:
            self._feed.behind = self._woken = True

    def _show(self, announcement: Announcement) -> None:
        """Send what a peer has decided to those who are here."""
        self._elsewhere = announcement.audience - {self._engine.peers.process}
        self._deliver(announcement.effects, None, self._reserve)

    def _publish(self, news: News) -> None:
        self._engine.bus.publish(self._elsewhere, announcements.encode(news))

    def _failed(self, batch: list[Post], problem: Exception) -> list[Answered]:
        """What those in a batch are told when none of it was kept, or nobody knows."""
        if isinstance(problem, Busy):
            self._complain(str(problem))
            return _all(batch, RoomError(Code.ROOM_BUSY))
        if isinstance(problem, Unwritable):
            self._complain(str(problem))
            return _all(batch, RoomError(Code.STORAGE_UNAVAILABLE))
        if isinstance(problem, StorageUnavailable | TimeoutError):
            self._complain(str(problem) or "no answer in time")
            # Those who wait behind would only wait as long again.
            batch += self._mailbox
            self._mailbox.clear()
            return _all(batch, RoomError(Code.STORAGE_UNAVAILABLE))
        return _all(batch, self._report(problem))

    def _complain(self, reason: str) -> None:
        """Tell the operator, and owe everybody a view: what was kept was not announced."""
        self._engine.complaints.add(reason)
        if self._departures.untold or self._engine.hub.present(self._key):
            self._refresher.owe()

    def _release(self, post: Post, turn: Turn) -> None:
        """Answer one command and send its effects: nothing of a turn leaves from anywhere else."""
        try:
            if turn.bug:
                self._refuse(post, self._report(turn.bug))
            elif turn.error:
                self._refuse(post, turn.error)
                self._is_there_a_room(post, turn.error)
            else:
                self._grant(post, turn)
        except Exception as bug:  # noqa: BLE001  what is kept is kept, and the next is answered
            self._refuse(post, self._report(bug))

    def _turn_away(self, posts: list[Post]) -> None:
        for post in posts:
            self._refuse(post, RoomError(Code.REALTIME_UNAVAILABLE))

    def _report(self, bug: Exception) -> RoomError:
        return report(bug, f"{self._key.party}/{self._key.room_id}")

    def _grant(self, post: Post, turn: Turn) -> None:
        if post.answer and not post.answer.done():
            post.answer.set_result(turn.reply)
        self._deliver(turn.effects, post.connection, self._refresher)

    def _deliver(
        self, effects: Sequence[Effect], origin: Connection | None, refresher: Refresher
    ) -> None:
        self._engine.hub.deliver(self._key, effects, origin)
        for effect in effects:
            if isinstance(effect, ToEach):
                self._refresher.shown(effect)
                self._reserve.cancel()
            elif isinstance(effect, RefreshSoon):
                refresher.owe()

    def _is_there_a_room(self, post: Post, error: RoomError) -> None:
        """A view of a room that is over: peers closed it, and who is here missed it."""
        if isinstance(post.command, Refresh) and error.code is Code.ROOM_NOT_FOUND:
            self._engine.hub.expel(self._key, Close.ROOM_NOT_FOUND)

    def _refuse(self, post: Post, error: RoomError) -> None:
        if post.answer and not post.answer.done():
            post.answer.set_exception(error)
        elif post.connection and not post.answer:
            frame = jsonio.encode(ErrorFrame(request_id=post.request_id, payload=error.info))
            post.connection.wire.send(frame)

    def _ask_refresh(self) -> None:
        if self._engine.hub.present(self._key) or self._elsewhere:
            self._put(Post(Refresh()))
        elif self._departures.untold:
            self.wake()

    def _refresh_here(self) -> None:
        """The peer that said that a view is owed did not send it."""
        self._fall_behind()
        self.wake()

    def _plan_alarm(self) -> None:
        """Be on time for the next alarm. Should the room be forgotten, the clock finds it."""
        due, now = self._memory.next_alarm, self._engine.clock()
        if due == self._alarm_at and (due is None or due > now):
            return
        self._cancel_alarm()
        if due is not None:
            delay_s = max(due - now, ALARM_PAUSE_S)
            self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)
            self._alarm_at = due

    def _ring(self) -> None:
        """Too early, if the clock was set back; then the turn finds nothing, and we wait on."""
        self._cancel_alarm()
        self.wake()

    def _cancel_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = self._alarm_at = None


def _all(batch: list[Post], error: RoomError) -> list[Answered]:
    return [Answered(post, Turn(error=error)) for post in batch]
