"""One realtime process of the cluster, and the lobby before it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faultlab.children import children, send
from tests.faultlab.proxy import Proxy
from tests.support.servers import Server, until
from tests.support.skewed_realtime import set_clock

DIES_WITHIN_S = 90.0


@dataclass
class Node:
    """A realtime process with its own port, its own ways to storage, and its own lobby."""

    name: str
    realtime: Server
    lobby: Server
    doom: Path  # the file that the process dies by
    skew: Path  # the file that says by how many seconds its host's clock is ahead
    ways: dict[str, Proxy] = field(default_factory=dict)  # lobby, database, redis, clients
    usable: bool = True  # no fault is under way that makes it useless to call

    @property
    def socket_url(self) -> str:
        """Where clients open their sockets."""
        return f"ws://127.0.0.1:{self.ways['clients'].port}"

    @property
    def pid(self) -> int:
        """Of the service itself."""
        (found,) = children(self.realtime.leader.pid)
        return found

    def start(self) -> float:
        """Start again on the same port. Returns after how many seconds it was ready."""
        self.doom.unlink(missing_ok=True)
        return self.realtime.up()

    def set_clock(self, ahead_s: float) -> None:
        """Set its host's clock; the lab's own, and the database's, is right."""
        set_clock(self.skew, ahead_s)

    def kill(self) -> None:
        """kill -9."""
        self.realtime.kill()

    def terminate(self) -> None:
        """SIGTERM to the service, as an init system sends it; nobody waits."""
        send(signal.SIGTERM, self.pid)

    def freeze(self) -> None:
        send(signal.SIGSTOP, self.pid)

    def thaw(self) -> None:
        send(signal.SIGCONT, self.pid)

    def doom_it(self, point: str, commits: int) -> None:
        """Have it die at this point of a commit, after so many others."""
        draft = self.doom.with_suffix(".draft")
        draft.write_text(f"{point} {commits}")
        draft.rename(self.doom)  # whole or not at all

    def died(self) -> bool:
        return self.realtime.dead

    def await_death(self, within_s: float = DIES_WITHIN_S) -> None:
        until(self.died, within_s)

    # -- what it holds on to ----------------------------------------------------------------

    def descriptors(self) -> int:
        """Open files and sockets."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def threads(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/task").iterdir())

    @property
    def logs(self) -> Sequence[str]:
        return [self.realtime.said, self.lobby.said]
