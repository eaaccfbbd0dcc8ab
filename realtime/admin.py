"""The rooms, for people who look after them: to be read. A room changes by a command to itself."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from msgspec import Struct

from config.clients import realtime_client
from contracts.errors import RoomError
from contracts.http import CloseRoom, Control, RemovePlayer, RetryAlarms
from realtime.core.alarms import Due
from realtime.core.instants import iso
from realtime.models import JournalEntry, Match, MatchPlayer, Room, Seat, User

BREAK = mark_safe("<br>")
JOURNAL_SHOWN = 100  # the newest entries; a room may have a million


class ReadOnly:
    """Seen by those who may view, touched by nobody."""

    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        return False


class Controls(ReadOnly):
    """Read-only rows, and commands to the rooms behind them for those who may change rooms."""

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("realtime.change_room")

    def command(self, request: HttpRequest, asks: Iterable[tuple[Room, Control]]) -> None:
        """Ask the rooms, and say what became of it. What is done is stored already."""
        done = 0
        for room, refusal in asyncio.run(_ask(list(asks))):
            if refusal:
                messages.error(request, f"{room}: {refusal.message}")
            else:
                done += 1
        if done:
            messages.success(request, f"Done: {done}")


async def _ask(asks: list[tuple[Room, Control]]) -> list[tuple[Room, RoomError | None]]:
    client = realtime_client(settings.GREENROOM)
    answers: list[tuple[Room, RoomError | None]] = []
    try:
        for room, ask in asks:
            try:
                await client.control(room.party, room.code, ask)
                answers.append((room, None))
            except RoomError as refusal:
                answers.append((room, refusal))
    finally:
        await client.close()
    return answers


class SeatInline(ReadOnly, admin.TabularInline):
    """The roster. Token hashes stay in the table."""

    model = Seat
    fields = ("username", "role", "is_host", "seat_index", "player_id", "joined_at")
    ordering = ("joined_at", "pk")
    verbose_name_plural = "roster"


class NewestEntries(BaseInlineFormSet):
    """A journal from its end."""

    _newest: QuerySet[Model] | None = None  # read once, though each form asks

    def get_queryset(self) -> QuerySet[Model]:
        if self._newest is None:
            self._newest = super().get_queryset().defer("entry")[:JOURNAL_SHOWN]
        return self._newest


class JournalInline(ReadOnly, admin.TabularInline):
    """What happened lately. The entries themselves stay out: they hold what players sent."""

    model = JournalEntry
    formset = NewestEntries
    fields = ("version", "at", "command", "actor")
    ordering = ("-version",)
    verbose_name_plural = f"journal: the newest {JOURNAL_SHOWN} turns"


class Planned(Struct):
    """The part of a room's state that holds its alarms."""

    alarms: dict[str, Due] = {}


def _alarm_line(name: str, due: Due) -> str:
    tried = f", failed {due.failures} times" if due.failures else ""
    return f"{name}: {'parked' if due.parked else iso(due.at)}{tried}"


class Parked(admin.SimpleListFilter):
    """Rooms with alarms that were given up."""

    title = "alarms"
    parameter_name = "alarms"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("parked", "Parked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Room]) -> QuerySet[Room]:
        return queryset.filter(alarms_parked__gt=0) if self.value() == "parked" else queryset


@admin.register(Room)
class RoomAdmin(Controls, admin.ModelAdmin):
    """Rooms as they were committed. The state stays out: it holds token hashes."""

    list_display = (
        *("code", "party", "status", "phase", "members", "visibility"),
        *("alarm_at", "alarms_parked", "updated_at"),
    )
    list_filter = ("party", "status", "phase", "visibility", Parked)
    actions = ("close_rooms", "retry_alarms")
    search_fields = ("code",)
    search_help_text = "A room's code"
    ordering = ("-updated_at",)
    exclude = ("state",)
    readonly_fields = ("alarms",)
    inlines = (SeatInline, JournalInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        return super().get_queryset(request).defer("state")

    @admin.display(description="alarms")
    def alarms(self, room: Room) -> str:
        """What the room plans, and what it has given up."""
        planned = msgspec.json.decode(room.state, type=Planned).alarms
        lines = [_alarm_line(name, due) for name, due in sorted(planned.items())]
        return format_html_join(BREAK, "{}", [(line,) for line in lines]) or "none"

    @admin.action(description="Close: everybody is sent away", permissions=["control"])
    def close_rooms(self, request: HttpRequest, rooms: QuerySet[Room]) -> None:
        self.command(request, [(room, CloseRoom()) for room in rooms])

    @admin.action(description="Give parked alarms another try", permissions=["control"])
    def retry_alarms(self, request: HttpRequest, rooms: QuerySet[Room]) -> None:
        self.command(request, [(room, RetryAlarms()) for room in rooms])

    @admin.display(description="players")
    def members(self, room: Room) -> str:
        """Such as `3 of 8 + 2 watching`."""
        watching = f" + {room.spectators} watching" if room.spectators else ""
        return f"{room.players} of {room.max_players}{watching}"


@admin.register(Seat)
class MemberAdmin(Controls, admin.ModelAdmin):
    """The members of all rooms. Token hashes stay in the table."""

    list_display = ("username", "room", "role", "is_host", "player_id", "joined_at")
    list_filter = ("role", "room__party")
    list_select_related = ("room",)
    search_fields = ("username", "=player_id", "=room__code")
    search_help_text = "A name, a player's id or a room's code"
    ordering = ("-pk",)
    fields = ("room", *SeatInline.fields)
    actions = ("remove_members",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Seat]:
        return super().get_queryset(request).defer("room__state", "token_hash")

    @admin.action(description="Remove: they may not come back", permissions=["control"])
    def remove_members(self, request: HttpRequest, seats: QuerySet[Seat]) -> None:
        known = [seat for seat in seats if seat.player_id]
        self.command(request, [(seat.room, RemovePlayer(seat.player_id or "")) for seat in known])


class StandingInline(ReadOnly, admin.TabularInline):
    """How the match ended for each participant."""

    model = MatchPlayer
    fields = ("rank", "username", "role", "score", "player_id")
    ordering = ("place",)
    verbose_name_plural = "standings"


@admin.register(Match)
class MatchAdmin(ReadOnly, admin.ModelAdmin):
    """Finished matches."""

    list_display = ("match_id", "party", "code", "start_at", "end_at", "end_reason")
    list_filter = ("party", "end_reason")
    search_fields = ("=match_id", "=code")
    search_help_text = "A match's id or a room's code"
    ordering = ("-end_at",)
    inlines = (StandingInline,)


@admin.register(User)
class PeopleAdmin(UserAdmin):
    """Those who sign in here, and identities that other services vouch for."""

    list_display = ("username", "display_name", "external_id", "is_staff", "is_active")
    search_fields = ("username", "display_name", "external_id", "email")
    readonly_fields = ("user_id", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Identity", {"fields": ("user_id", "external_id", "display_name", "email")}),
        ("Permissions", UserAdmin.fieldsets[2][1]),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
