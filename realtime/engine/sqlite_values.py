"""The rows that commits become, in the order of the parameters in sqlite_sql."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import index
from typing import Any, TypeAlias

from realtime.core.rows import Commit

Values: TypeAlias = tuple[Any, ...]


def updated(commit: Commit) -> Values:
    """The parameters of UPDATE."""
    return (*_columns(commit), commit.uuid.hex, commit.base, commit.base_tag)


def updated_alike(commit: Commit) -> Values:
    """The parameters of UPDATE_ALIKE."""
    row, now = commit.row, timestamp(commit.journal[-1].at)
    changed = row.players, row.spectators, row.seq, row.state, now, commit.version, commit.tag
    return (*changed, commit.uuid.hex, commit.base, commit.base_tag)


def created(commit: Commit) -> Values:
    """The parameters of CREATE."""
    party, code = commit.key
    began = timestamp(commit.journal[0].at)
    return (*_columns(commit), commit.uuid.hex, party, code, party, began)


def journal(commits: Sequence[Commit]) -> Iterator[Values]:
    """The parameters of RECORD, for each turn."""
    for commit in commits:
        room = commit.uuid.hex
        for turn in commit.journal:
            at, entry = timestamp(turn.at), turn.entry.decode()
            yield room, turn.version, at, turn.command, turn.actor, entry, commit.tag


def changed(commits: Sequence[Commit]) -> Iterator[Values]:
    """The parameters of VACATE, for each player."""
    for commit in commits:
        if commit.base:  # a new room has nothing to replace
            room = commit.uuid.hex
            for player_id in commit.changed:
                yield room, player_id


def seats(commits: Sequence[Commit]) -> Iterator[Values]:
    """The parameters of SEAT, for each seat."""
    for commit in commits:
        room = commit.uuid.hex
        for seat in commit.seats:
            yield (
                room,
                seat.player_id,
                seat.username,
                seat.username_key,
                seat.role,
                seat.token_hash,
                seat.is_host,
                seat.seat_index,
                timestamp(seat.joined_at),
            )


def matches(commits: Sequence[Commit]) -> Iterator[Values]:
    """The parameters of FINISH, for each match."""
    for commit in commits:
        for match in commit.matches:
            yield (
                commit.uuid.hex,
                *commit.key,
                match.match_id,
                timestamp(match.started_at),
                timestamp(match.ended_at),
                match.end_reason,
                match.settings.decode(),
            )


def standings(commits: Sequence[Commit]) -> Iterator[Values]:
    """The parameters of PLACE, for each participant of each match."""
    for commit in commits:
        for match in commit.matches:
            for place, one in enumerate(match.standings, start=1):
                where = (match.match_id, commit.key.party, place)
                # SQLite would keep a fraction, where PostgreSQL has only whole numbers.
                rank, score = index(one.rank), index(one.score)
                yield *where, rank, one.player_id, one.username, one.role, score


@lru_cache(256)
def timestamp(at: float | None) -> str | None:
    """Seconds since the epoch, as Django writes a time to SQLite."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat(" ")


def seconds(at: str) -> float:
    """Seconds since the epoch, of a time as `timestamp` writes it."""
    return datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()


def _columns(commit: Commit) -> Values:
    row = commit.row
    return (
        row.visibility,
        row.status,
        row.phase,
        row.max_players,
        row.players,
        row.spectators,
        row.settings.decode(),
        row.seq,
        row.state,
        timestamp(row.alarm_at),
        row.alarms_parked,
        timestamp(row.expires_at),
        timestamp(commit.journal[-1].at),
        commit.version,
        commit.tag,
    )
