"""The rooms, for people who look after them: to be read. A room changes by a command to itself."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from realtime.models import JournalEntry, Room, Seat, User

JOURNAL_SHOWN = 100  # the newest entries; a room may have a million


class ReadOnly:
    """Seen by those who may view, touched by nobody."""

    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        return False


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


@admin.register(Room)
class RoomAdmin(ReadOnly, admin.ModelAdmin):
    """Rooms as they were committed. The state stays out: it holds token hashes."""

    list_display = ("code", "party", "status", "phase", "members", "visibility", "updated_at")
    list_filter = ("party", "status", "phase", "visibility")
    search_fields = ("code",)
    search_help_text = "A room's code"
    ordering = ("-updated_at",)
    exclude = ("state",)
    inlines = (SeatInline, JournalInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        return super().get_queryset(request).defer("state")

    @admin.display(description="players")
    def members(self, room: Room) -> str:
        """Such as `3 of 8 + 2 watching`."""
        watching = f" + {room.spectators} watching" if room.spectators else ""
        return f"{room.players} of {room.max_players}{watching}"


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
