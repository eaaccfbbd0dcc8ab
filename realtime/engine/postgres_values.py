"""The arrays that a round's commits become, in the order of the parameters in postgres_sql."""

from __future__ import annotations

from collections.abc import Sequence

from realtime.core.rows import Commit
from realtime.engine.postgres_arrays import bools, byteas, float8s, int8s, texts, utf8s, uuids

_YEAR_10000 = 253_402_300_800  # PostgreSQL knows it, but who reads the row through Django does not


def keep_values(commits: Sequence[Commit]) -> list[bytes]:
    """The parameters of KEEP."""
    return [*_rooms(commits), *_journal(commits), *_changed(commits), *_seats(commits)]


def match_values(commits: Sequence[Commit]) -> list[bytes]:
    """What KEEP_WITH_MATCHES takes beside the parameters of KEEP."""
    return [*_matches(commits), *_standings(commits)]


def _rooms(commits: Sequence[Commit]) -> list[bytes]:
    rows = [commit.row for commit in commits]
    return [
        uuids([commit.uuid for commit in commits]),
        int8s([commit.base for commit in commits]),
        int8s([commit.version for commit in commits]),
        texts([commit.key.party for commit in commits]),
        texts([commit.key.room_id for commit in commits]),
        texts([row.visibility for row in rows]),
        texts([row.status for row in rows]),
        texts([row.phase for row in rows]),
        int8s([row.max_players for row in rows]),
        int8s([row.players for row in rows]),
        int8s([row.spectators for row in rows]),
        utf8s([row.settings for row in rows]),
        int8s([row.seq for row in rows]),
        byteas([row.state for row in rows]),
        _times([-1 if row.alarm_at is None else row.alarm_at for row in rows]),
        int8s([row.alarms_parked for row in rows]),
        _times([-1 if row.expires_at is None else row.expires_at for row in rows]),
        _times([commit.journal[0].at for commit in commits]),
        _times([commit.journal[-1].at for commit in commits]),
        int8s([commit.base_tag for commit in commits]),
        int8s([commit.tag for commit in commits]),
    ]


def _journal(commits: Sequence[Commit]) -> list[bytes]:
    turns = [turn for commit in commits for turn in commit.journal]
    return [
        uuids([commit.uuid for commit in commits for _ in commit.journal]),
        int8s([turn.version for turn in turns]),
        _times([turn.at for turn in turns]),
        texts([turn.command for turn in turns]),
        texts([turn.actor for turn in turns]),
        utf8s([turn.entry for turn in turns]),
        int8s([commit.tag for commit in commits for _ in commit.journal]),
    ]


def _changed(commits: Sequence[Commit]) -> list[bytes]:
    known = [commit for commit in commits if commit.base]  # a new room has nothing to replace
    return [
        uuids([commit.uuid for commit in known for _ in commit.changed]),
        texts([player_id for commit in known for player_id in commit.changed]),
    ]


def _seats(commits: Sequence[Commit]) -> list[bytes]:
    seats = [seat for commit in commits for seat in commit.seats]
    return [
        uuids([commit.uuid for commit in commits for _ in commit.seats]),
        texts([seat.player_id for seat in seats]),
        texts([seat.username for seat in seats]),
        texts([seat.username_key for seat in seats]),
        texts([seat.role for seat in seats]),
        texts([seat.token_hash or "" for seat in seats]),
        bools([seat.is_host for seat in seats]),
        int8s([-1 if seat.seat_index is None else seat.seat_index for seat in seats]),
        _times([seat.joined_at for seat in seats]),
    ]


def _matches(commits: Sequence[Commit]) -> list[bytes]:
    finished = [(commit, match) for commit in commits for match in commit.matches]
    return [
        uuids([commit.uuid for commit, _ in finished]),
        texts([commit.key.party for commit, _ in finished]),
        texts([commit.key.room_id for commit, _ in finished]),
        texts([match.match_id for _, match in finished]),
        _times([match.started_at for _, match in finished]),
        _times([match.ended_at for _, match in finished]),
        texts([match.end_reason for _, match in finished]),
        utf8s([match.settings for _, match in finished]),
    ]


def _standings(commits: Sequence[Commit]) -> list[bytes]:
    placed = [
        (commit, match.match_id, place, standing)
        for commit in commits
        for match in commit.matches
        for place, standing in enumerate(match.standings, start=1)
    ]
    standings = [standing for *_, standing in placed]
    return [
        uuids([commit.uuid for commit, *_ in placed]),
        texts([match_id for _, match_id, *_ in placed]),
        texts([commit.key.party for commit, *_ in placed]),
        int8s([place for _, _, place, _ in placed]),
        int8s([standing.rank for standing in standings]),
        texts([standing.player_id for standing in standings]),
        texts([standing.username for standing in standings]),
        texts([standing.role for standing in standings]),
        int8s([standing.score for standing in standings]),
    ]


def _times(values: Sequence[float]) -> bytes:
    """Seconds since the epoch, or -1 for no time. Raises ValueError for what is no date."""
    if not all(-1 <= at < _YEAR_10000 for at in values):
        raise ValueError("a time out of range")
    return float8s(values)
