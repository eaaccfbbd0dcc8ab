"""From process to process. What is sent may be lost; rooms notice, and look."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol, TypeAlias

OnNews: TypeAlias = Callable[[bytes], None]


class Bus(Protocol):
    """Carries what processes tell each other of rooms. No call waits for the network for long, and
    none raises when it can't be reached."""

    up: bool  # whether what is published now is likely to arrive

    async def start(self, process: str, on_news: OnNews, on_return: Callable[[], None]) -> None:
        """Begin to hear what this process is told. `on_return` is called when the bus works again
        after it did not."""

    async def close(self) -> None:
        """End."""

    def publish(self, processes: Collection[str], news: bytes) -> None:
        """Tell these processes, none of which is this one."""

    def check(self) -> dict[str, str]:
        """A readiness check, `ok` or what is wrong; none where there is nothing to check."""


class NoBus:
    """There is nobody to tell: this process is alone."""

    up = False

    async def start(self, process: str, on_news: OnNews, on_return: Callable[[], None]) -> None:
        """Nothing to begin."""

    async def close(self) -> None:
        """Nothing to end."""

    def publish(self, processes: Collection[str], news: bytes) -> None:
        """Nobody hears it."""

    def check(self) -> dict[str, str]:
        """Nothing to check."""
        return {}
