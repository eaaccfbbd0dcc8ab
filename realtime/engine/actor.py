"""One room in this process: a mailbox, and one batch at a time from turn to commit to release."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import getrandbits
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.sockets import ErrorFrame
from realtime.core.commands import Command, Refresh, Register
from realtime.core.effects import RefreshSoon, ToEach
from realtime.core.party import Party
from realtime.core.rows import RoomKey
from realtime.core.turns import Surroundings, Turn, Turns
from realtime.engine.hub import Connection, Hub
from realtime.engine.incidents import report
from realtime.engine.store import Busy, StorageUnavailable, Store
from realtime.engine.uuids import uuid7

RACES = 5  # commits lost to other writers before the room is called busy
REFRESH_BYTES_PER_S = 16 * 1024 * 1024  # large rooms are refreshed less often than small ones


class Limits(NamedTuple):
    """The engine's numbers; every one is a setting."""

    mailbox_size: int = 1024
    batch_size: int = 64
    commit_deadline_s: float = 2.0
    refresh_interval_s: float = 0.25
    room_idle_s: float = 60.0


class Engine(NamedTuple):
    """What every actor works with."""

    store: Store
    hub: Hub
    clock: Callable[[], float]  # seconds since the epoch
    surroundings: Surroundings
    limits: Limits = Limits()


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
        self._refresh: asyncio.TimerHandle | None = None
        self._refresh_interval_s = engine.limits.refresh_interval_s
        self.used_at = engine.clock()

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs or is planned."""
        return self._task is None and self._refresh is None and not self._mailbox

    def post(self, post: Post) -> None:
        """Put a command into the mailbox. Raises ROOM_BUSY when it is full."""
        if len(self._mailbox) >= self._engine.limits.mailbox_size:
            raise RoomError(Code.ROOM_BUSY)
        self._mailbox.append(post)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def finished(self) -> None:
        """Wait until the mailbox is empty."""
        while task := self._task:
            await asyncio.wait([task])

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
        except (StorageUnavailable, TimeoutError):
            # Nobody knows what was kept. Those who wait behind would only wait as long again.
            waiting, self._mailbox = self._mailbox, deque()
            self._refuse([*batch, *waiting], RoomError(Code.STORAGE_UNAVAILABLE))
        except Busy:
            self._refuse(batch, RoomError(Code.ROOM_BUSY))
        except Exception as bug:  # noqa: BLE001  whatever it is, it is this room's trouble alone
            self._refuse(batch, report(bug, self._key.party))
        else:
            for post, turn in zip(batch, turns, strict=True):
                self._release(post, turn)

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
        raise Busy

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
        """Answer the caller and send the effects: the only place from which anything leaves."""
        if turn.bug:
            self._refuse([post], report(turn.bug, self._key.party))
        elif turn.error:
            self._refuse([post], turn.error)
        else:
            if post.answer and not post.answer.done():
                post.answer.set_result(turn.reply)
            self._send(post, turn)

    def _send(self, post: Post, turn: Turn) -> None:
        try:
            self._engine.hub.deliver(self._key, turn.effects, post.connection)
        except Exception as bug:  # noqa: BLE001  the turn is kept; who misses frames sees the gap
            report(bug, self._key.party)
        for effect in turn.effects:
            self._plan_refresh(effect)

    def _refuse(self, posts: list[Post], error: RoomError) -> None:
        for post in posts:
            if post.answer and not post.answer.done():
                post.answer.set_exception(error)
            elif post.connection and not post.answer:
                frame = jsonio.encode(ErrorFrame(request_id=post.request_id, payload=error.info))
                post.connection.wire.send(frame.decode())

    def _plan_refresh(self, effect: object) -> None:
        if isinstance(effect, ToEach):
            size = sum(map(len, effect.frames.values()))
            interval = self._engine.limits.refresh_interval_s
            self._refresh_interval_s = max(interval, size / REFRESH_BYTES_PER_S)
        elif isinstance(effect, RefreshSoon) and self._refresh is None:
            loop = asyncio.get_running_loop()
            self._refresh = loop.call_later(self._refresh_interval_s, self._ask_refresh)

    def _ask_refresh(self) -> None:
        self._refresh = None
        if self._engine.hub.present(self._key):
            self._mailbox.append(Post(Refresh()))
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._work())
