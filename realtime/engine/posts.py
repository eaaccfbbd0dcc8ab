"""What waits in a room's mailbox."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from realtime.core.commands import Command
from realtime.engine.hub import Connection


class Post(NamedTuple):
    """A command in the mailbox, and where its answer goes."""

    command: Command
    answer: asyncio.Future[object] | None = None
    connection: Connection | None = None
    request_id: str | UnsetType = UNSET
