"""A room's state as rows: what listings and the admin read, and the constraints guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from contracts import jsonio
from realtime.core.alarms import Outlook
from realtime.core.document import Document
from realtime.core.roster import Credentials, Player, Roster
from realtime.core.rows import RoomRow, SeatRow

if TYPE_CHECKING:
    from realtime.core.party import Party

T = TypeVar("T")


class Seats(NamedTuple):
    """The members, with what their rows depend on. Players are frozen, so this is a snapshot."""

    players: dict[str, Player] = {}
    host: str | None = None
    credentials: dict[str, Credentials] = {}

    def same(self, roster: Roster) -> bool:
        """Whether these are the members still, in this order."""
        return (
            self.host == roster.host
            and _same(self.players, roster.players)
            and _same(self.credentials, roster.credentials)
        )

    def row(self, player_id: str) -> SeatRow | None:
        """The row of a member; None of one who is none."""
        player = self.players.get(player_id)
        if player is None:
            return None
        known = self.credentials.get(player_id)
        return SeatRow(
            player_id=player_id,
            username=player.username,
            username_key=player.username_key,
            role=player.role,
            token_hash=known.token_hash if known else None,
            is_host=player_id == self.host,
            seat_index=player.seat,
            joined_at=player.joined_at,
        )


def seats(roster: Roster) -> Seats:
    """The members as they are now."""
    return Seats(dict(roster.players), roster.host, dict(roster.credentials))


def changes(before: Seats, after: Seats) -> tuple[tuple[str, ...], tuple[SeatRow, ...]]:
    """The ids of the players whose rows are out of date, and the rows that are new."""
    if before is after:  # most turns
        return (), ()
    differ = [key for key in _suspects(before, after) if _differs(key, before, after)]
    gone = [key for key in before.players if key not in after.players]
    old = [key for key in differ if key in before.players]
    return (*gone, *old), tuple(row for key in differ if (row := after.row(key)))


def _suspects(before: Seats, after: Seats) -> list[str]:
    """Members who may have changed: of the others, everything is the very object that it was."""
    was, knew, knows = before.players.get, before.credentials.get, after.credentials.get
    hosts = () if before.host == after.host else (before.host, after.host)
    return [
        key
        for key, player in after.players.items()
        if was(key) is not player or knew(key) is not knows(key) or key in hosts
    ]


def _differs(player_id: str, before: Seats, after: Seats) -> bool:
    return (
        before.players.get(player_id) != after.players.get(player_id)
        or (player_id == before.host) != (player_id == after.host)
        or before.credentials.get(player_id) != after.credentials.get(player_id)
    )


def _same(some: dict[str, T], others: dict[str, T]) -> bool:
    """Whether they are equal, and in the same order."""
    return [*some.values()] == [*others.values()] and [*some] == [*others]


def room_row(
    party: Party, document: Document[Any, Any], encoded: bytes, outlook: Outlook
) -> RoomRow:
    """The columns that mirror the state."""
    roster = document.roster
    return RoomRow(
        visibility=document.visibility,
        status=party.status(document.phase) if document.expires_at is None else "closed",
        phase=document.phase,
        max_players=party.cap(document.settings),
        players=roster.count("player"),
        spectators=roster.count("spectator"),
        settings=jsonio.encode(document.settings),
        seq=document.seq,
        state=encoded,
        alarm_at=outlook.next_at,
        alarms_parked=outlook.parked,
        expires_at=document.expires_at,
    )
