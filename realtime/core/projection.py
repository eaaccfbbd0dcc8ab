"""A room's state as rows: what listings and the admin read, and the constraints guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from contracts import jsonio
from realtime.core.alarms import Outlook
from realtime.core.document import Document
from realtime.core.roster import Player
from realtime.core.rows import RoomRow, SeatRow

if TYPE_CHECKING:
    from realtime.core.party import Party

Seats: TypeAlias = dict[str, tuple[Player, bool, str | None]]  # player, whether host, token hash


def seats(document: Document[Any, Any]) -> Seats:
    """Every member, with what its row depends on. Players are frozen, so this is a snapshot."""
    roster, known = document.roster, document.roster.credentials
    return {
        key: (player, key == roster.host, known[key].token_hash if key in known else None)
        for key, player in roster.players.items()
    }


def changes(before: Seats, after: Seats) -> tuple[tuple[str, ...], tuple[SeatRow, ...]]:
    """The ids of the players whose rows differ, and the rows of those who are still members."""
    changed = [key for key in before if before[key] != after.get(key)]
    changed += [key for key in after if key not in before]
    return tuple(changed), tuple(_seat_row(*after[key]) for key in changed if key in after)


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


def _seat_row(player: Player, is_host: bool, token_hash: str | None) -> SeatRow:
    return SeatRow(
        player_id=player.player_id,
        username=player.username,
        username_key=player.username_key,
        role=player.role,
        token_hash=token_hash,
        is_host=is_host,
        seat_index=player.seat,
        joined_at=player.joined_at,
    )
