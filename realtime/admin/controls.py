"""Pages from which rooms are commanded."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import Error, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from realtime.admin.asking import Fate, Order, ask_rooms
from realtime.admin.readonly import ReadOnly

CHOSEN_MAX = 200  # rows; of more, none is asked


class Controls(ReadOnly, admin.ModelAdmin):
    """Read-only rows, and commands to the rooms behind them for those who may change rooms."""

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("realtime.change_room")

    def command(
        self, request: HttpRequest, rows: QuerySet[Any], order: Callable[[Any], Order]
    ) -> None:
        """Ask the room behind each row, record it, and say what became of it."""
        chosen = list(rows[: CHOSEN_MAX + 1])
        if len(chosen) > CHOSEN_MAX:
            messages.error(request, f"More than {CHOSEN_MAX} are chosen: nothing was asked.")
            return
        fates = asyncio.run(ask_rooms(settings.GREENROOM, [order(row) for row in chosen]))
        self._record(request, fates)
        _say(request, fates, not_asked=len(chosen) - len(fates))

    def _record(self, request: HttpRequest, fates: Sequence[Fate]) -> None:
        """Who asked what, in the rooms' histories. Refusals too: it may be done all the same."""
        try:
            with transaction.atomic():
                for fate in fates:
                    self.log_change(request, fate.order.room, f"{fate.order.words}: {fate.outcome}")
        except Error:
            messages.error(request, "The histories could not be written.")


def _say(request: HttpRequest, fates: Sequence[Fate], not_asked: int) -> None:
    refused = [fate for fate in fates if fate.refusal]
    for fate in refused:
        messages.error(request, f"Room {fate.order.room}: {fate.outcome}")
    if not_asked:
        others = "other one was" if not_asked == 1 else f"other {not_asked} were"
        messages.warning(request, f"The {others} not asked.")
    if done := len(fates) - len(refused):
        messages.success(request, f"Done: {done}")
