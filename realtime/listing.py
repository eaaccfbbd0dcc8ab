"""Lists of rooms, matches and scores, from the rows that the store commits."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import DEFAULT_DB_ALIAS
from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast

from contracts.errors import Code, RoomError
from contracts.http import (
    Counts,
    Leaderboard,
    LeaderboardEntry,
    MatchInfo,
    MatchReport,
    RoomMatches,
    RoomPage,
    RoomSummary,
    Standing,
    Window,
)
from contracts.limits import ROOMS_PAGE
from contracts.queries import LeaderboardQuery, MatchesQuery, RoomsQuery, bad_cursor
from realtime.core.instants import iso
from realtime.core.rows import RoomKey
from realtime.models import Match, MatchPlayer, Role, Room, RoomStatus, Visibility
from realtime.reads import ALIAS, Reads

WINDOWS = {"day": timedelta(days=1), "week": timedelta(weeks=1)}
FEW_MATCHES = 1000  # in a window; more of them are read in another way
_SPACE = Q(status=RoomStatus.OPEN, players__lt=F("max_players"))
_SUMMARY = ("room_id", "code", "phase", "players", "spectators", "settings_text")
_MATCH = ("match_id", "code", "start_at", "end_at", "end_reason", "settings_text")
_ENTRY = ("username", "score", "match_id", "match__end_at")
_TIES = ("match__end_at", "match_id", "player_id")
_STANDING = ("rank", "player_id", "username", "role", "score")


class Listing:
    """The reads of this process. All of them raise RoomError or StorageUnavailable."""

    def __init__(
        self,
        alias: str = DEFAULT_DB_ALIAS,
        *,
        clock: Callable[[], float] = time.time,
        **bounds: Any,
    ) -> None:
        """`alias` names the database, `clock` is that of its rooms, and is called in threads;
        `bounds` are those of Reads."""
        self._reads = Reads(alias, **bounds)
        self._clock = clock
        self.start = self._reads.start
        self.close = self._reads.close

    async def rooms(self, party: str, query: RoomsQuery) -> RoomPage:
        """A page of public rooms that are not closed, the newest first."""
        before = room_after(query.cursor) if query.cursor else None
        return await self._reads.ask(room_page, party, query, before)

    async def matches(self, key: RoomKey, query: MatchesQuery) -> RoomMatches:
        """The matches of the room that has this code now, the newest first."""
        return await self._reads.ask(room_matches, key, query.limit)

    async def match(self, match_id: str) -> MatchReport:
        """A match, and its standings by rank."""
        return await self._reads.ask(match_report, match_id)

    async def leaderboard(self, party: str, query: LeaderboardQuery) -> Leaderboard:
        """The players' best scores."""
        return await self._reads.ask(leaderboard, party, query, self._clock)


def room_page(party: str, query: RoomsQuery, before: UUID | None) -> RoomPage:
    found = Room.objects.using(ALIAS).filter(party=party, visibility=Visibility.PUBLIC)
    found = found.exclude(status=RoomStatus.CLOSED).order_by("-room_id")
    if query.status:
        found = found.filter(status=query.status)
    if query.has_space is not None:
        found = found.filter(_SPACE if query.has_space else ~_SPACE)
    if before:
        found = found.filter(room_id__lt=before)
    rows = found.annotate(settings_text=_text("ruleset_config")).values_list(*_SUMMARY)
    page = list(rows[: ROOMS_PAGE + 1])
    more = len(page) > ROOMS_PAGE
    rooms = [
        RoomSummary(code, phase, _raw(settings), Counts(players, spectators))
        for _, code, phase, players, spectators, settings in page[:ROOMS_PAGE]
    ]
    return RoomPage(rooms, cursor_after(page[ROOMS_PAGE - 1][0]) if more else None)


def room_matches(key: RoomKey, limit: int) -> RoomMatches:
    rooms = Room.objects.using(ALIAS).filter(party=key.party, code=key.room_id)
    room = rooms.values_list("room_id", flat=True).first()
    if room is None:
        raise RoomError(Code.ROOM_NOT_FOUND)
    rows = _matches().filter(room_id=room).order_by("-end_at", "-match_id")[:limit]
    return RoomMatches(key.room_id, [_match_info(*row) for row in rows])


def match_report(match_id: str) -> MatchReport:
    row = _matches().filter(match_id=match_id).first()
    if row is None:
        raise RoomError(Code.MATCH_NOT_FOUND)
    players = MatchPlayer.objects.using(ALIAS).filter(match_id=match_id)
    rows = players.order_by("place").values_list(*_STANDING)
    return MatchReport(_match_info(*row), [Standing(*one) for one in rows])


def leaderboard(
    party: str, query: LeaderboardQuery, clock: Callable[[], float] = time.time
) -> Leaderboard:
    rows = _best(party, query.window, clock).values_list(*_ENTRY)[: query.limit]
    entries: list[LeaderboardEntry] = []
    for place, (username, score, match_id, at) in enumerate(rows, start=1):
        equal = bool(entries) and entries[-1].score == score
        rank = entries[-1].rank if equal else place
        entries.append(LeaderboardEntry(rank, username, score, match_id, _iso(at)))
    return Leaderboard(query.window, entries)


def _best(party: str, window: Window, clock: Callable[[], float]) -> QuerySet[Any, Any]:
    """The players' scores in a window, the best first.

    Along the index of scores the best of many matches are soon met. Those of a few are not: the
    walk could pass every score there ever was. So these matches are looked up, and what they hold
    is sorted by an expression, which no index tempts the database to walk along.
    """
    scores = MatchPlayer.objects.using(ALIAS).filter(party=party, role=Role.PLAYER)
    if window == "all":
        return scores.order_by("-score", *_TIES)
    since = datetime.fromtimestamp(clock(), UTC) - WINDOWS[window]
    ended = Match.objects.using(ALIAS).filter(party=party, end_at__gte=since).order_by("-end_at")
    few = list(ended.values_list("match_id", flat=True)[: FEW_MATCHES + 1])
    if len(few) > FEW_MATCHES:
        return scores.filter(match__end_at__gte=since).order_by("-score", *_TIES)
    return scores.filter(match_id__in=few).order_by((F("score") + 0).desc(), *_TIES)


def cursor_after(room: UUID) -> str:
    """What asks for the page after this room."""
    return base64.urlsafe_b64encode(room.bytes).decode().rstrip("=")


def room_after(cursor: str) -> UUID:
    """The room that ended the page before. Raises BAD_REQUEST."""
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise bad_cursor() from None


def _matches() -> QuerySet[Any, Any]:
    return Match.objects.using(ALIAS).annotate(settings_text=_text("settings")).values_list(*_MATCH)


def _match_info(
    match_id: str, code: str, start_at: datetime, end_at: datetime, reason: str, settings: str
) -> MatchInfo:
    return MatchInfo(match_id, code, _iso(start_at), _iso(end_at), reason, _raw(settings))


def _text(column: str) -> Cast:
    """JSON as it is kept, to be passed on without reading it."""
    return Cast(column, TextField())


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _iso(at: datetime) -> str:
    return iso(at.timestamp())
