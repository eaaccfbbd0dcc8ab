"""Finished matches."""

from django.contrib import admin

from realtime.admin.readonly import ReadOnly
from realtime.models import Match, MatchPlayer


class StandingInline(ReadOnly, admin.TabularInline):
    """How the match ended for each participant."""

    model = MatchPlayer
    fields = ("rank", "username", "role", "score", "player_id")
    ordering = ("place",)
    verbose_name_plural = "standings"


@admin.register(Match)
class MatchAdmin(ReadOnly, admin.ModelAdmin):
    """Matches, each with its standings."""

    list_display = ("match_id", "party", "code", "start_at", "end_at", "end_reason")
    list_filter = ("party", "end_reason")
    search_fields = ("=match_id", "=code")
    search_help_text = "A match's id or a room's code"
    ordering = ("-end_at",)
    inlines = (StandingInline,)
