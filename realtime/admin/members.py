"""The members of all rooms."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from contracts.http import RemovePlayer
from realtime.admin.asking import Order
from realtime.admin.controls import Controls
from realtime.models import RoomStatus, Seat

MEMBER_FIELDS = ("username", "role", "is_host", "seat_index", "player_id", "joined_at")


def _removal(seat: Seat) -> Order:
    player_id = seat.player_id or ""
    return Order(seat.room, RemovePlayer(player_id), f"Remove {seat.username} ({player_id})")


@admin.register(Seat)
class MemberAdmin(Controls):
    """Members of rooms that are not closed. Token hashes stay in the table."""

    list_display = ("username", "room", "role", "is_host", "player_id", "joined_at")
    list_filter = ("role", "room__party")
    list_select_related = ("room",)
    search_fields = ("username", "=player_id", "=room__code")
    search_help_text = "A name, a player's id or a room's code"
    ordering = ("-pk",)
    fields = ("room", *MEMBER_FIELDS)
    actions = ("remove_members",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Seat]:
        members = super().get_queryset(request).exclude(room__status=RoomStatus.CLOSED)
        return members.defer("room__state", "token_hash")

    @admin.action(description="Remove: they may not come back", permissions=["control"])
    def remove_members(self, request: HttpRequest, seats: QuerySet[Seat]) -> None:
        self.command(request, seats.exclude(player_id=None), _removal)
