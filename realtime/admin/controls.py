"""Pages from which rooms are commanded."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from realtime.admin.asking import Answer, Ask, ask_rooms
from realtime.admin.readonly import ReadOnly

CHOSEN_MAX = 200  # rows; of more, none is asked


class Controls(ReadOnly, admin.ModelAdmin):
    """Read-only rows, and commands to the rooms behind them for those who may change rooms."""

    def has_control_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("realtime.change_room")

    def command(self, request: HttpRequest, rows: QuerySet[Any], ask: Callable[[Any], Ask]) -> None:
        """Ask the room behind each row, record it, and say what became of it."""
        chosen = list(rows[: CHOSEN_MAX + 1])
        if len(chosen) > CHOSEN_MAX:
            messages.error(request, f"More than {CHOSEN_MAX} are chosen: nothing was asked.")
            return
        answers = asyncio.run(ask_rooms(settings.GREENROOM, [ask(row) for row in chosen]))
        self._record(request, answers)
        _say(request, answers, not_asked=len(chosen) - len(answers))

    def _record(self, request: HttpRequest, answers: Sequence[Answer]) -> None:
        """Who asked what, in the rooms' histories. Refusals too: behind silence it may be done."""
        try:
            with transaction.atomic():
                for ask, outcome in ((answer.ask, answer.outcome) for answer in answers):
                    self.log_change(request, ask.room, f"{ask.words}: {outcome}")
        except DatabaseError:
            messages.error(request, "Storage is not available: the histories lack this.")


def _say(request: HttpRequest, answers: Sequence[Answer], not_asked: int) -> None:
    refused = [answer for answer in answers if answer.refusal]
    for answer in refused:
        messages.error(request, f"Room {answer.ask.room}: {answer.outcome}")
    if not_asked:
        others = "other one was" if not_asked == 1 else f"other {not_asked} were"
        messages.warning(request, f"The {others} not asked.")
    if done := len(answers) - len(refused):
        messages.success(request, f"Done: {done}")
