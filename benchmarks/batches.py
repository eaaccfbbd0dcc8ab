"""Batches to commit, as large as those of the lobby's benchmark: a room is created, then joined."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from random import getrandbits
from uuid import uuid4

from benchmarks import JOINS
from realtime.core.rows import Commit, JournalRow, RoomKey, RoomRow, SeatRow
from realtime.engine.uuids import uuid7

ROOM_BYTES, MEMBER_BYTES = 328, 377  # of the encoded state
SETTINGS = b'{"settings":"%s"}' % (b"x" * 111)
ENTRY = b'{"command":"%s"}' % (b"x" * 350)
STATES = [b'{"state":"%s"}' % (b"x" * (ROOM_BYTES + n * MEMBER_BYTES)) for n in range(JOINS + 2)]
_rooms = count()


def rooms() -> Iterator[list[Commit]]:
    """The batches of one room after another, without end: to be committed in this order."""
    while True:
        key, uuid, now = RoomKey("leet99", f"R{next(_rooms)}"), uuid7(time.time()), time.time()
        tags = [0, *(getrandbits(63) for _ in range(1 + JOINS))]
        yield [
            Commit(
                key,
                uuid,
                base,
                row(base + 1),
                (turn(base + 1, now),),
                (one.player_id,),
                (one,),
                base_tag=tags[base],
                tag=tags[base + 1],
            )
            for base in range(1 + JOINS)
            for one in [seat(base, now)]
        ]


def row(players: int) -> RoomRow:
    return RoomRow(
        visibility="private",
        status="open",
        phase="lobby",
        max_players=8,
        players=players,
        spectators=0,
        settings=SETTINGS,
        seq=players,
        state=STATES[players],
    )


def turn(version: int, now: float) -> JournalRow:
    return JournalRow(version, now, "register", "", ENTRY)


def seat(index: int, now: float) -> SeatRow:
    identity = uuid4().hex
    return SeatRow(
        player_id=f"p_{identity}",
        username=f"player {index}",
        username_key=f"player {index}",
        role="player",
        token_hash=identity * 2,
        is_host=index == 0,
        seat_index=index,
        joined_at=now,
    )
