"""A room's state as rows: what listings and the admin read, and the constraints guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from contracts import jsonio
from realtime.core.document import Document
from realtime.core.roster import Player
from realtime.core.rows import RoomRow, SeatRow

if TYPE_CHECKING:
    from realtime.core.party import Party

Seats: TypeAlias = dict[str, tuple[Player, bool]]  # by player id: the player, and whether host


def seats(document: Document[Any, Any]) -> Seats:
    """Every member, with what its row depends on. Players are frozen, so this is a snapshot."""
    roster = document.roster
    return {key: (player, key == roster.host) for key, player in roster.players.items()}


def changes(before: Seats, after: Seats) -> tuple[tuple[str, ...], tuple[SeatRow, ...]]:
    """The ids of the players whose rows differ, and the rows of those who are still members."""
    changed = [key for key in before if before[key] != after.get(key)]
    changed += [key for key in after if key not in before]
    return tuple(changed), tuple(_seat_row(*after[key]) for key in changed if key in after)


def room_row(party: Party, document: Document[Any, Any], encoded: bytes) -> RoomRow:
    """The columns that mirror the state."""
    roster = document.roster
    return RoomRow(
        visibility=document.visibility,
        status=party.status(document.phase),
        phase=document.phase,
        max_players=party.cap(document.settings),
        players=roster.count("player"),
        spectators=roster.count("spectator"),
        settings=jsonio.encode(document.settings),
        seq=document.seq,
        state=encoded,
    )


def _seat_row(player: Player, is_host: bool) -> SeatRow:
    return SeatRow(
        player_id=player.player_id,
        username=player.username,
        username_key=player.username_key,
        role=player.role,
        token_hash=player.token_hash,
        is_host=is_host,
        seat_index=player.seat,
        joined_at=player.joined_at,
    )
