"""Group work: what waits at the same moment goes to one thread in one round."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from time import monotonic
from typing import Generic, NamedTuple, Protocol, TypeVar

from realtime.engine.store import StorageUnavailable

COMMITS_WAITING = 10_000  # calls that may wait; one more is refused with StorageUnavailable
ROUND_MAX = 256  # calls in one round; more gains nothing and makes all of them wait
HANGS_S = 1.5  # a round that takes longer is broken off once one of its callers gives up
CLOSE_LIMIT_S = 5.0  # what still runs by then is broken off

Item = TypeVar("Item")
Result = TypeVar("Result")
_In = TypeVar("_In", contravariant=True)
_Out = TypeVar("_Out", covariant=True)


class Work(Protocol[_In, _Out]):
    """What a round does. All of it but `interrupt` happens in the thread of the rounds."""

    def run(self, items: Sequence[_In]) -> Sequence[_Out | Exception]:
        """One result or exception for each item, in order. Raises what befell all of them."""

    def interrupt(self) -> None:
        """Break off the run under way, which hangs. Called from the event loop's thread."""

    def close(self) -> None:
        """Let go of connections. Nothing runs afterwards."""


class _Call(NamedTuple, Generic[Item, Result]):
    item: Item
    future: asyncio.Future[Result]


class Rounds(Generic[Item, Result]):
    """A thread, and the queue of calls before it.

    The thread takes all that waits whenever it is free, so that rounds grow with the load. A call
    that its caller gave up before its round began is dropped: it certainly had no effect. Results
    return to the event loop together, one wake-up for each round.
    """

    def __init__(
        self,
        work: Work[Item, Result],
        name: str,
        *,
        max_waiting: int = COMMITS_WAITING,
    ) -> None:
        self._work = work
        self._max_waiting = max_waiting
        self._calls: SimpleQueue[_Call[Item, Result] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._began: float | None = None  # the round under way
        self._open = False

    def start(self) -> None:
        """Begin to serve the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._open = True
        self._thread.start()

    async def call(self, item: Item) -> Result:
        """The result of `item`, or its exception. Raises StorageUnavailable when it can't wait."""
        if not self._open or self._calls.qsize() >= self._max_waiting:
            raise StorageUnavailable("too much is waiting for storage" if self._open else "closed")
        future: asyncio.Future[Result] = self._loop.create_future()
        self._calls.put(_Call(item, future))
        try:
            return await future
        except asyncio.CancelledError:
            self._break_off()
            raise

    def post(self, item: Item) -> None:
        """Let `item` be done after what waits, if this is still open. Nobody asks how it ended."""
        if self._open:
            future: asyncio.Future[Result] = self._loop.create_future()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._calls.put(_Call(item, future))

    async def close(self) -> None:
        """Refuse new calls, finish those that wait, and let the thread end."""
        if not self._open:
            return
        self._open = False
        self._calls.put(None)
        done, _ = await asyncio.wait([self._ended], timeout=CLOSE_LIMIT_S)
        if not done:
            self._work.interrupt()
            await asyncio.wait([self._ended], timeout=CLOSE_LIMIT_S)

    def _break_off(self) -> None:
        """Interrupt a round that hangs. A long queue is no reason: it moves."""
        began = self._began
        if began is not None and monotonic() - began > HANGS_S:
            self._work.interrupt()

    def _serve(self) -> None:
        while calls := self._next_calls():
            if calls := [call for call in calls if not call.future.done()]:
                self._began = monotonic()
                results = self._run([call.item for call in calls])
                self._began = None
                self._loop.call_soon_threadsafe(_settle, calls, results)
        self._work.close()
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _next_calls(self) -> list[_Call[Item, Result]]:
        """All that waits, up to ROUND_MAX; nothing once the last call before the end was served."""
        calls = []
        call = self._calls.get()
        while call is not None:
            calls.append(call)
            if len(calls) == ROUND_MAX or self._calls.empty():
                return calls
            call = self._calls.get()
        if calls:
            self._calls.put(None)
        return calls

    def _run(self, items: list[Item]) -> Sequence[Result | Exception]:
        try:
            return self._work.run(items)
        except Exception as problem:  # noqa: BLE001  (the thread lives on; each caller is told)
            return [problem] * len(items)


def _settle(calls: list[_Call[Item, Result]], results: Sequence[Result | Exception]) -> None:
    for call, result in zip(calls, results, strict=True):
        if call.future.done():
            continue  # its caller gave up while the round ran
        if isinstance(result, Exception):
            call.future.set_exception(result)
        else:
            call.future.set_result(result)
