"""A room's state as rows: what listings and the admin read, and the constraints guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from contracts import jsonio
from realtime.core.alarms import Outlook
from realtime.core.document import Document
from realtime.core.roster import Credentials, Player
from realtime.core.rows import RoomRow, SeatRow

if TYPE_CHECKING:
    from realtime.core.party import Party


class Seats(NamedTuple):
    """The members, with what their rows depend on. Players are frozen, so this is a snapshot."""

    players: dict[str, Player] = {}
    host: str | None = None
    credentials: dict[str, Credentials] = {}

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


def seats(document: Document[Any, Any]) -> Seats:
    """The members as they are now."""
    roster = document.roster
    return Seats(dict(roster.players), roster.host, dict(roster.credentials))


def changes(before: Seats, after: Seats) -> tuple[tuple[str, ...], tuple[SeatRow, ...]]:
    """The ids of the players whose rows differ, and the rows of those who are still members."""
    if before == after:  # most turns
        return (), ()
    changed = [key for key in before.players | after.players if _differs(key, before, after)]
    return tuple(changed), tuple(row for key in changed if (row := after.row(key)))


def _differs(player_id: str, before: Seats, after: Seats) -> bool:
    was, is_now = before.players.get(player_id), after.players.get(player_id)
    if was is not is_now and was != is_now:
        return True
    if (player_id == before.host) != (player_id == after.host):
        return True
    return before.credentials.get(player_id) != after.credentials.get(player_id)


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
