"""Tell the operator that a process has no file descriptor left for another connection.

libuv, which accepts connections, then accepts and closes each that comes, and tells nobody.
"""

from __future__ import annotations

import errno
import logging
import resource
import time
from collections.abc import Callable

from contracts.open_files import no_file_left

LOOK_EVERY_S = 1
SAY_EVERY_S = 60.0

logger = logging.getLogger(__name__)


class DescriptorWatch:
    """A callback of uvicorn's server, called every LOOK_EVERY_S. Logs once in SAY_EVERY_S."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until = 0.0

    async def __call__(self) -> None:
        """Log it if no file can be opened."""
        if error := no_file_left():
            self._say(error)

    def _say(self, error: OSError) -> None:
        if self._clock() < self._quiet_until:
            return
        self._quiet_until = self._clock() + SAY_EVERY_S
        if error.errno == errno.EMFILE:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            logger.error(
                "this process has all the %d files open that RLIMIT_NOFILE allows: new connections "
                "are closed unanswered. Raise the hard limit, now %d (ulimit -Hn; systemd: "
                "LimitNOFILE), and start again",
                soft,
                hard,
            )
        else:
            logger.error(
                "this system has as many files open as it allows: new connections are closed "
                "unanswered. Raise fs.file-max"
            )
