"""Rows that are only looked at."""

from typing import Any


class ReadOnly:
    """Seen by those who may view, touched by nobody."""

    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        return False
