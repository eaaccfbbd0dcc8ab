"""How long parties' code keeps this process from everything else, and where it is meanwhile."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from types import FrameType, TracebackType
from typing import Self

from realtime.core.rows import RoomKey
from realtime.engine.deadlines import Deadlines

logger = logging.getLogger(__name__)


class Stopwatch:
    """Time each turn of the process's rooms, which run one at a time on the event loop.

    Commits are not charged for the time of turns (see Deadlines). A turn longer than `slow_s` is
    logged twice: while it runs, with the file and line that a thread of its own finds it at, so
    that an endless loop has a name too; and when it ends, with its seconds.
    """

    def __init__(
        self, deadlines: Deadlines, slow_s: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._deadlines = deadlines
        self._slow_s = slow_s
        self._clock = clock
        self._key: RoomKey | None = None
        self._entered = 0.0
        self._began: float | None = None  # the turn that runs
        self._found: float | None = None  # the turn that the thread has told of
        self._loop_thread = 0
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def start(self) -> None:
        """Watch the turns of the running event loop."""
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="slow turns", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._ending.set()

    def on(self, key: RoomKey) -> Self:
        """A block in which turns of this room run, with a `lap` after each."""
        self._key = key
        return self

    def __enter__(self) -> None:
        self._entered = self._began = self._clock()

    def __exit__(
        self, kind: type[BaseException] | None, problem: object, trace: TracebackType | None
    ) -> None:
        self.lap()
        self._began = None
        self._deadlines.excuse(self._clock() - self._entered)

    def lap(self) -> None:
        """A turn has ended, and another may begin."""
        now = self._clock()
        if self._began is not None and now - self._began >= self._slow_s:
            logger.warning("%s: the turn took %.2f s", self._place, now - self._began)
        self._began = now

    @property
    def _place(self) -> str:
        return "/".join(self._key) if self._key else "?"

    def _watch(self) -> None:
        """Wake when the turn that runs would become slow. Without one, look again after as long:
        a turn that began meanwhile is not slow yet."""
        wait_s = self._slow_s
        while not self._ending.wait(wait_s):
            began, now = self._began, self._clock()
            wait_s = self._slow_s
            if began is None or began == self._found:
                continue
            if now - began < self._slow_s:
                wait_s = began + self._slow_s - now
            else:
                self._found = began
                self._tell(now - began)

    def _tell(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  documented, named so
        sentence = "%s: a turn has kept all rooms of this process waiting for %.2f s, at %s"
        logger.warning(sentence, self._place, seconds, where_in_party(frame))


def where_in_party(frame: FrameType | None) -> str:
    """The line of a party's handler that runs in this frame and, if that calls more, the innermost:
    `talk.py:39 Talk.say, in parser.py:7 parse`."""
    calls = [*_calls(frame)]
    own = [call for call in calls if not _module(call).startswith("realtime.core.")]
    if not calls:
        return "an unknown place"
    outer, inner = (own or calls)[-1], calls[0]
    return _line(outer) if outer is inner else f"{_line(outer)}, in {_line(inner)}"


def _calls(frame: FrameType | None) -> Iterator[FrameType]:
    """What runs inside the engine, the innermost first."""
    while frame and not _module(frame).startswith("realtime.engine."):
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    """The name of its module; empty for code that has none, as templates and formulas are."""
    return str(frame.f_globals.get("__name__", ""))


def _line(frame: FrameType) -> str:
    code = frame.f_code
    return f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_qualname}"
