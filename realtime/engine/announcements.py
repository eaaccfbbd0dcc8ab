"""What one process tells the others of a room: a batch that it decided, or a frame to pass on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct

from realtime.core.commands import Refresh
from realtime.core.effects import Announced, Enter, Reply
from realtime.core.rows import Revision, RoomKey
from realtime.engine.memory import Answered, Settled


class Announcement(Struct, frozen=True, array_like=True, tag=1):
    """A batch that was committed on revision `base` and left the room at `after`."""

    key: RoomKey
    uuid: UUID  # of the room: another deployment on the same Redis may have one of this name
    base: Revision
    after: Revision
    effects: tuple[Announced, ...]
    processes: frozenset[str]  # ids of those that had the room's sockets


class Relayed(Struct, frozen=True, array_like=True, tag=2):
    """A volatile frame for everybody."""

    key: RoomKey
    uuid: UUID
    frame: bytes


News: TypeAlias = Announcement | Relayed

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(News).decode


def announcement_of(key: RoomKey, settled: Settled) -> Announcement:
    """A batch as peers are told of it."""
    effects = (one for done in settled.answered for one in _for_peers(done))
    return Announcement(
        key, settled.uuid, settled.base, settled.after, tuple(effects), settled.processes
    )


def _for_peers(done: Answered) -> Iterator[Announced]:
    """What is neither for the asking connection nor for this process's sockets alone."""
    if isinstance(done.post.command, Refresh) and done.post.command.process:
        return
    for effect in done.turn.effects:
        if not isinstance(effect, Reply | Enter):
            yield effect
