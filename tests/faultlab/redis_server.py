"""A Redis of the lab's own, which may be ended, emptied and frozen."""

from __future__ import annotations

import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import redis

from tests.faultlab.children import Child
from tests.support.servers import free_port

PROGRAM = "redis-server"


class RedisServer:
    """One server that keeps nothing on disk. `with` starts and ends it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="faultlab-redis-"))
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)]
        command = [PROGRAM, *place, "--save", "", "--appendonly", "no"]
        self._child = Child(command, self._folder / "log")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        self._child.start(self.answers)

    def stop(self) -> None:
        """SHUTDOWN NOSAVE: every connection ends."""
        with self.client() as client, suppress(redis.ConnectionError):
            client.shutdown(nosave=True)
        self._child.wait()

    def flush(self) -> None:
        """Everything that was kept is gone; connections and subscriptions stay."""
        with self.client() as client:
            client.flushall()

    def freeze(self) -> None:
        self._child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._child.signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """A connection of the lab's own."""
        return redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2)

    def answers(self) -> bool:
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def subscriptions(self) -> dict[str, int]:
        """How many listen to each channel."""
        with self.client() as client:
            channels = client.pubsub_channels()
            counted = client.pubsub_numsub(*channels) if channels else []
        return {name.decode(): int(count) for name, count in counted}

    def clients(self) -> int:
        """Connections, without the one that asks."""
        with self.client() as client:
            return len(client.client_list()) - 1
