"""One room in this process: a mailbox, and one batch at a time from turn to commit to release."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container
from typing import cast

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.incidents import report
from contracts.sockets import Close, ErrorFrame
from realtime.core.commands import Inspect, Refresh
from realtime.core.party import Party
from realtime.core.rows import Revision, RoomKey
from realtime.core.turns import Turn
from realtime.engine.deadlines import Deadlines
from realtime.engine.departures import Departures
from realtime.engine.memory import Answered, Engine, Memory, Settled, is_look
from realtime.engine.posts import Post
from realtime.engine.showing import Showing
from realtime.engine.stopwatch import Stopwatch
from realtime.engine.store import Busy, StorageUnavailable, Unwritable

ALARM_PAUSE_S = 0.01  # alarms that plan each other without a pause leave time for others


class Actor:
    """Runs one room's commands in the order they came. Holds a task only while there is work."""

    def __init__(
        self,
        party: Party,
        key: RoomKey,
        engine: Engine,
        deadlines: Deadlines,
        stopwatch: Stopwatch,
        on_empty: Callable[[RoomKey], None],
    ) -> None:
        self._key = key
        self._engine = engine
        self._deadlines = deadlines  # of commits
        self._on_empty = on_empty
        self._memory = Memory(party, key, engine, stopwatch)
        self._mailbox: deque[Post] = deque()  # full: ROOM_BUSY
        self._look: asyncio.Future[object] | None = None  # of the Inspect in the mailbox
        self._lookers = 0  # who share it. As many as the mailbox has places; then ROOM_BUSY
        self._task: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: float | None = None  # seconds since the epoch: what the timer waits for
        self._woken = False  # due alarms, or a change of presence, want a turn
        self._departures = Departures()
        self.showing = Showing(key, engine, deadlines, on_refresh=self._refresh, on_gap=self.wake)
        self.used_at = engine.clock()

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs or is owed. An alarm is no work yet."""
        return not (self._task or self._mailbox or self._woken or self.showing.busy)

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
        """Have a turn soon: alarms are due, somebody has gone, or those here missed something."""
        self._woken = True
        self._start()

    def note_deaths(self, living: Container[str]) -> None:
        """Have the room note it, if a peer that had sockets of it is not among the living."""
        if any(one not in living for one in self.showing.elsewhere):
            self._departures.untold = True
            self.wake()

    def absent(self, player_id: str, *, by_client: bool) -> None:
        """A player has no connection here any more."""
        self._departures.add(player_id, by_client=by_client)
        self.wake()

    def doze(self) -> None:
        """Those who are connected have nothing to do. Alarms and presence are kept in mind, and the
        state, which is most of what a quiet room takes, is read again when it is wanted."""
        if self.idle:
            self._memory.forget()

    def compare(self, told: Revision, stored: Revision) -> None:
        """Storage has the room at `stored`, and was asked when those here knew `told`."""
        if stored.version > told.version:
            self.showing.head(stored.version)
        elif stored != told:  # storage has lost what was shown, perhaps: a turn will tell
            self.forget()
            self.showing.fall_behind()

    def forget(self) -> None:
        """Remember nothing of the room's state: storage may be another one than before."""
        self._memory.forget()

    def rest(self) -> None:
        """Plan nothing more. What the room itself plans is in storage, where the clock looks."""
        self._cancel_alarm()
        self.showing.close()

    async def close(self) -> None:
        """Plan nothing more, and wait until the mailbox is empty. Cancelled: what runs is, too, and
        those who wait are told to come back."""
        self.showing.owe_nothing()
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
        task = cast("asyncio.Task[None]", self._task)
        try:
            while self._mailbox or self._woken:
                try:
                    await self._settle(self._next_batch(), task)
                except Exception as bug:  # noqa: BLE001  those who wait are not to wait for ever
                    self._report(bug)
        finally:
            self._task = None
        self._plan_alarm()
        if self._memory.empty:
            self._on_empty(self._key)

    def _next_batch(self) -> list[Post]:
        """What waits, up to a bound. It may be empty: then alarms that are due take effect."""
        if self._mailbox and is_look(self._mailbox[0]):
            self._look = None
            return [self._mailbox.popleft()]
        self._woken = False
        batch: list[Post] = []
        while len(batch) < self._engine.limits.batch_size and self._mailbox:
            if is_look(self._mailbox[0]):
                break
            batch.append(self._mailbox.popleft())
        if self._departures.untold:
            batch.insert(0, self._departures.post())
        if self.showing.behind:
            batch.insert(0, self.showing.catching_up())
        return batch

    async def _settle(self, batch: list[Post], task: asyncio.Task[None]) -> None:
        """Run a batch to its end: everybody in it is answered, whatever happens."""
        try:
            with self._deadlines.limit(task):
                settled = await self._memory.run(batch)
        except asyncio.CancelledError:
            self._turn_away(batch)
            raise
        except Exception as problem:  # noqa: BLE001  whatever it is, it is this room's trouble alone
            unknown = not isinstance(problem, Busy | Unwritable)
            self._departures.settled(batch, noted=False, unknown=unknown)
            for post, turn in self._failed(batch, problem):
                self._release(post, turn)
        else:
            self._departures.settled(batch, noted=True)
            await self._announce(settled)

    async def _announce(self, settled: Settled) -> None:
        """Tell everybody what is kept; those who are here, after what peers decided before it."""
        up_to_date = False
        try:
            self.showing.tell_peers(settled)
            up_to_date = await self.showing.catch_up(settled)
        finally:
            for post, turn in settled.answered:
                self._release(post, turn)
            self.showing.told(settled)
            if not up_to_date:
                self.showing.fall_behind()

    def _failed(self, batch: list[Post], problem: Exception) -> list[Answered]:
        """What those in a batch are told when none of it was kept, or nobody knows."""
        if not isinstance(problem, Busy | StorageUnavailable | TimeoutError):
            return _all(batch, self._report(problem))
        self._complain(str(problem) or "no answer in time")
        if not isinstance(problem, Unwritable):  # that is said at once, and who looks may look
            batch += self._mailbox  # those who wait behind would only wait as long again
            self._mailbox.clear()
        busy = isinstance(problem, Busy)
        return _all(batch, RoomError(Code.ROOM_BUSY if busy else Code.STORAGE_UNAVAILABLE))

    def _complain(self, reason: str) -> None:
        """Tell the operator, and owe everybody a view: what was kept was not announced."""
        self._engine.complaints.add(reason)
        if self._departures.untold or self._engine.hub.present(self._key):
            self.showing.owe()

    def _release(self, post: Post, turn: Turn) -> None:
        """Answer one command and send its effects: nothing of a turn leaves from anywhere else."""
        try:
            if turn.bug:
                self._refuse(post, self._report(turn.bug))
            elif turn.error:
                self._refuse(post, turn.error)
                self._expel_if_over(post, turn.error)
            else:
                self._grant(post, turn)
        except Exception as bug:  # noqa: BLE001  what is kept is kept, and the next is answered
            self._refuse(post, self._report(bug))

    def _turn_away(self, posts: list[Post]) -> None:
        for post in posts:
            self._refuse(post, RoomError(Code.REALTIME_UNAVAILABLE))

    def _report(self, bug: Exception) -> RoomError:
        told = report(bug, f"{self._key.party}/{self._key.room_id}")
        _untrace(bug)
        return told

    def _grant(self, post: Post, turn: Turn) -> None:
        if post.answer and not post.answer.done():
            post.answer.set_result(turn.reply)
        self.showing.deliver(turn.effects, post.connection)

    def _expel_if_over(self, post: Post, error: RoomError) -> None:
        """There is no room to be seen: peers closed it, and who is here missed it."""
        if isinstance(post.command, Refresh) and error.code is Code.ROOM_NOT_FOUND:
            self._engine.hub.expel(self._key, Close.ROOM_NOT_FOUND)

    def _refuse(self, post: Post, error: RoomError) -> None:
        _untrace(error)
        if post.answer and not post.answer.done():
            post.answer.set_exception(error)
        elif post.connection and not post.answer:
            frame = jsonio.encode(ErrorFrame(request_id=post.request_id, payload=error.info))
            self._engine.hub.send(post.connection, frame)

    def _refresh(self) -> None:
        """Everybody is owed a fresh view; or the absence of the last ones here, to be noted."""
        if self._engine.hub.present(self._key) or self.showing.elsewhere:
            self._put(Post(Refresh()))
        elif self._departures.untold:
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


def _untrace(problem: Exception) -> None:
    """Let go of where it was raised. Those frames hold the room's state and the turn that holds the
    error: a cycle, which every refusal would leave to the collector."""
    problem.__traceback__ = problem.__context__ = problem.__cause__ = None


def _all(batch: list[Post], error: RoomError) -> list[Answered]:
    return [Answered(post, Turn(error=error)) for post in batch]
