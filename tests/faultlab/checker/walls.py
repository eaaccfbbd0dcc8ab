"""I15: no frame of one room reaches another, and none reaches who has not been let in."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tests.faultlab.checker.case import Case
from tests.faultlab.checker.history import History


def rooms_are_apart(case: Case) -> Iterator[str]:
    """What a frame names belongs to the room of its socket."""
    for frame in case.foreign:
        yield f"{frame.type} (seq {frame.seq}) of another room reached {frame.conn}"


def strangers_hear_nothing(history: History) -> Iterator[str]:
    """Before its view, a socket receives errors only."""
    for socket in history.sockets.values():
        entered_at = socket.entered.t if socket.entered else math.inf
        for frame in socket.frames:
            if frame.t < entered_at and frame.type != "ERROR":
                yield f"{frame.type} reached {frame.conn} before it had entered"
