"""The records of what storage held and what the servers served of it. See HISTORY.md."""

from __future__ import annotations

from typing import Any

from tests.faultlab.checker.records import Record


class Stored(Record):
    """Something of one room."""

    party: str
    room: str


class Row(Stored):
    """A room's row, as a second database connection read it."""

    t0: float
    t1: float
    version: int
    seq: int
    status: str
    phase: str
    players: int
    spectators: int
    max_players: int
    state: dict[str, Any]
    final: bool = False


class Journal(Stored):
    """An entry of a room's journal."""

    version: int
    command: str
    entry: dict[str, Any]
    at: float = 0.0
    actor: str = ""


class Seat(Stored):
    """A member's row."""

    player_id: str
    username: str
    role: str
    is_host: bool = False
    username_key: str | None = None


class Match(Stored):
    """A finished match's row."""

    match_id: str
    end_reason: str = ""


class Served(Stored):
    """What a process answers when everything is at rest."""

    process: str
    status: int = 200
    state: dict[str, Any] | None = None


class Proof(Stored):
    """Whether storage had what a reply or a frame told, at the moment it told it."""

    of: str
    found: bool
    t: float = 0.0
    ref: int | str | None = None
