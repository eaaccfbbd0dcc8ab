"""Rooms, each with its roster, its alarms and the end of its journal."""

import msgspec
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from msgspec import Struct

from contracts.http import CloseRoom, RetryAlarms
from realtime.admin.asking import Order
from realtime.admin.controls import Controls
from realtime.admin.members import MEMBER_FIELDS
from realtime.admin.readonly import ReadOnly
from realtime.core.alarms import Due
from realtime.core.instants import iso
from realtime.models import JournalEntry, Room, Seat

BREAK = mark_safe("<br>")
JOURNAL_SHOWN = 100  # the newest entries; a room may have a million


class SeatInline(ReadOnly, admin.TabularInline):
    """The roster. Token hashes stay in the table."""

    model = Seat
    fields = MEMBER_FIELDS
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

    def lookups(self, *_: object) -> list[tuple[str, str]]:
        return [("parked", "Parked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Room]) -> QuerySet[Room]:
        return queryset.filter(alarms_parked__gt=0) if self.value() == "parked" else queryset


@admin.register(Room)
class RoomAdmin(Controls):
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
        self.command(request, rooms, lambda room: Order(room, CloseRoom(), "Close"))

    @admin.action(description="Give parked alarms another try", permissions=["control"])
    def retry_alarms(self, request: HttpRequest, rooms: QuerySet[Room]) -> None:
        self.command(request, rooms, lambda room: Order(room, RetryAlarms(), "Retry alarms"))

    @admin.display(description="players")
    def members(self, room: Room) -> str:
        """Such as `3 of 8 + 2 watching`."""
        watching = f" + {room.spectators} watching" if room.spectators else ""
        return f"{room.players} of {room.max_players}{watching}"
