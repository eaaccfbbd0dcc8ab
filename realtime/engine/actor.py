"""One room in this process: a mailbox, and one batch at a time from turn to commit to release."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import getrandbits
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from contracts import jsonio
from contracts.complaints import Complaints
from contracts.errors import Code, RoomError
from contracts.incidents import report
from contracts.sockets import ErrorFrame
from realtime.core.commands import Command, Refresh, Register
from realtime.core.effects import RefreshSoon, ToEach
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.core.turns import Surroundings, Turn, Turns
from realtime.engine.hub import Connection, Hub
from realtime.engine.refresher import Refresher
from realtime.engine.store import Busy, StorageUnavailable, Store
from realtime.engine.uuids import uuid7

RACES = 5  # commits lost to other writers before the room is called busy


class Limits(NamedTuple):
    """The engine's numbers; every one is a setting."""

    mailbox_size: int
    batch_size: int
    commit_deadline_s: float
    refresh_interval_s: float
    room_idle_s: float


class Engine(NamedTuple):
    """What every actor works with."""

    store: Store
    hub: Hub
    clock: Callable[[], float]  # seconds since the epoch
    surroundings: Surroundings
    complaints: Complaints
    limits: Limits


class Post(NamedTuple):
    """A command in the mailbox, and where its answer goes."""

    command: Command
    answer: asyncio.Future[object] | None = None
    connection: Connection | None = None
    request_id: str | UnsetType = UNSET


class Actor:
    """Runs one room's commands in the order they came. Holds a task only while there is work."""

    def __init__(
        self, party: Party, key: RoomKey, engine: Engine, on_absent: Callable[[RoomKey], None]
    ) -> None:
        self._party = party
        self._key = key
        self._engine = engine
        self._on_absent = on_absent
        self._mailbox: deque[Post] = deque()  # full: ROOM_BUSY
        self._turns: Turns | None = None  # what memory believes; may be forgotten at any time
        self._task: asyncio.Task[None] | None = None
        self._refresher = Refresher(engine.limits.refresh_interval_s, self._ask_refresh)
        self.used_at = engine.clock()

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs or is planned."""
        return not (self._task or self._mailbox or self._refresher.owing)

    def post(self, post: Post) -> None:
        """Put a command into the mailbox. Raises ROOM_BUSY when it is full."""
        if len(self._mailbox) >= self._engine.limits.mailbox_size:
            raise RoomError(Code.ROOM_BUSY)
        self._put(post)

    async def close(self) -> None:
        """Plan nothing more, and wait until the mailbox is empty. Cancelled: what runs is, too."""
        self._refresher.cancel()
        while task := self._task:
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
                raise

    def _put(self, post: Post) -> None:
        self._mailbox.append(post)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._mailbox:
                size = min(len(self._mailbox), self._engine.limits.batch_size)
                await self._settle([self._mailbox.popleft() for _ in range(size)])
        finally:
            self._task = None
            self.used_at = self._engine.clock()
            if self._turns is None or self._turns.version == 0:
                self._on_absent(self._key)

    async def _settle(self, batch: list[Post]) -> None:
        """Run a batch to its end: everybody in it is answered, whatever happens."""
        try:
            async with asyncio.timeout(self._engine.limits.commit_deadline_s):
                turns = await self._run(batch)
        except (StorageUnavailable, TimeoutError) as problem:
            self._complain(str(problem) or "no answer in time")
            # Nobody knows what was kept. Those who wait behind would only wait as long again.
            batch += self._mailbox
            self._mailbox.clear()
            turns = [Turn(error=RoomError(Code.STORAGE_UNAVAILABLE))] * len(batch)
        except Busy as problem:
            self._complain(str(problem))
            turns = [Turn(error=RoomError(Code.ROOM_BUSY))] * len(batch)
        except Exception as bug:  # noqa: BLE001  whatever it is, it is this room's trouble alone
            turns = [Turn(bug=bug)] * len(batch)
        for post, turn in zip(batch, turns, strict=True):
            self._release(post, turn)

    def _complain(self, reason: str) -> None:
        """Tell the operator, and owe everybody a view: what was kept was not announced."""
        self._engine.complaints.add(reason)
        self._refresher.owe()

    async def _run(self, batch: list[Post]) -> list[Turn]:
        """Run the batch's turns on what is committed, until their commit is kept."""
        engine = self._engine
        for race in range(RACES):
            turns, believed = await self._recall(batch, guess=race == 0)
            turns.begin(engine.clock(), engine.hub.present(self._key))
            ran = [turns.run(post.command, getrandbits(53), post.request_id) for post in batch]
            if await self._keep(turns, believed):
                self._turns = turns
                return ran
        raise Busy("other processes were first, again and again")

    async def _recall(self, batch: list[Post], *, guess: bool) -> tuple[Turns, bool]:
        """The room as memory has it, or as storage does. True: only believed, not yet confirmed.

        A batch that a host's register opens guesses that there is no room yet, which saves a read:
        the insert, or a confirmation, proves it.
        """
        turns, self._turns = self._turns, None  # forgotten, unless this batch ends well
        if turns is not None:
            return turns, not self._engine.store.alone
        first = batch[0].command
        founding = guess and isinstance(first, Register) and first.is_host
        snapshot = None if founding else await self._engine.store.load(self._key)
        turns = Turns(
            self._party,
            self._key,
            snapshot,
            new_uuid=uuid7(self._engine.clock()),
            surroundings=self._engine.surroundings,
        )
        return turns, founding

    async def _keep(self, turns: Turns, believed: bool) -> bool:
        """Whether the turns stand: committed, or run on what is confirmed as committed."""
        store, draft = self._engine.store, turns.draft()
        if draft is None:
            return not believed or await store.confirm(self._key, turns.version)
        if not await store.commit(draft):
            return False
        turns.committed()
        return True

    def _release(self, post: Post, turn: Turn) -> None:
        """Answer one command and send its effects: from nowhere else does anything leave."""
        try:
            if turn.bug:
                self._refuse(post, report(turn.bug, self._key.party))
            elif turn.error:
                self._refuse(post, turn.error)
            else:
                self._grant(post, turn)
        except Exception as bug:  # noqa: BLE001  what is kept is kept, and the next is answered
            self._refuse(post, report(bug, self._key.party))

    def _grant(self, post: Post, turn: Turn) -> None:
        if post.answer and not post.answer.done():
            post.answer.set_result(turn.reply)
        self._engine.hub.deliver(self._key, turn.effects, post.connection)
        for effect in turn.effects:
            if isinstance(effect, ToEach):
                self._refresher.shown(effect)
            elif isinstance(effect, RefreshSoon):
                self._refresher.owe()

    def _refuse(self, post: Post, error: RoomError) -> None:
        if post.answer and not post.answer.done():
            post.answer.set_exception(error)
        elif post.connection and not post.answer:
            frame = jsonio.encode(ErrorFrame(request_id=post.request_id, payload=error.info))
            post.connection.wire.send(frame)

    def _ask_refresh(self) -> None:
        if self._engine.hub.present(self._key):
            self._put(Post(Refresh()))
