"""A match of leet99: who takes part, how it stands, how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Literal

import msgspec
from msgspec import UNSET, Struct

from contracts.http import Standing
from contracts.leet99 import EndReason, Leet99Settings, MatchEnd, MatchView, Status
from realtime.core.instants import iso
from realtime.core.roster import Player

PARTICIPANTS_MIN = 2
WARMUP_FROM_S = 10  # no warmup in shorter matches
WARMUP_SHARE = 0.1


class Participant(Struct, frozen=True):
    """What somebody has reached in the match."""

    status: Status = "coding"
    score: int = 0
    streak: int = 0
    stack_size: int = 0

    @property
    def alive(self) -> bool:
        """Whether it is still in the game."""
        return self.status != "eliminated"


class Match(Struct):
    """A match under way, or the one that has just ended."""

    match_id: str
    started_at: float  # seconds since the epoch
    ends_at: float  # as planned, then as it was
    participants: dict[str, Participant]  # by player id
    end_reason: EndReason | None = None
    standings: tuple[Standing, ...] = ()

    @property
    def alive(self) -> int:
        """How many are still in the game."""
        return sum(one.alive for one in self.participants.values())

    def eliminate(self, player_id: str) -> None:
        """Somebody is out of the game; what was reached counts."""
        out = msgspec.structs.replace(self.participants[player_id], status="eliminated")
        self.participants[player_id] = out

    def end(self, reason: EndReason, now: float, members: Mapping[str, Player]) -> MatchEnd:
        """Settle the standings, and return MATCH_END's payload. Who left early is a member still,
        retired."""
        self.ends_at, self.end_reason = now, reason
        self.standings = tuple(_standings(self.participants, members))
        first = [one for one in self.standings if one.rank == 1]
        winner = first[0].player_id if len(first) == 1 else None
        return MatchEnd(self.match_id, reason, winner, self.standings)


def match_view(match: Match | None, phase: str, settings: Leet99Settings) -> MatchView:
    """The match as everybody sees it, or the lobby before it."""
    if match is None:
        return MatchView(None, phase, settings)
    return MatchView(
        match_id=match.match_id,
        phase=phase,
        settings=settings,
        start_at=iso(match.started_at),
        end_at=iso(match.ends_at),
        end_reason=match.end_reason or UNSET,
        standings=match.standings or UNSET,
    )


def _order(participant: Participant) -> tuple[bool, int, int]:
    """Alive before eliminated, then the higher score, then the smaller stack."""
    return (not participant.alive, -participant.score, participant.stack_size)


def _standings(
    participants: Mapping[str, Participant], members: Mapping[str, Player]
) -> list[Standing]:
    standings: list[Standing] = []
    ordered = sorted(participants.items(), key=lambda item: _order(item[1]))
    for _, equals in groupby(ordered, key=lambda item: _order(item[1])):
        rank = len(standings) + 1
        for player_id, participant in equals:
            member = members[player_id]
            role: Literal["player", "bot"] = "bot" if member.role == "bot" else "player"
            row = Standing(rank, player_id, member.username, role, participant.score)
            standings.append(row)
    return standings
