"""What an alarm of attendance did: its entry does not say, but what came after it may."""

from __future__ import annotations

from tests.faultlab.checker.stored import Journal, Row
from tests.faultlab.checker.subjects import Room


class Hindsight:
    """Reads a room's later entries and rows."""

    def __init__(self, room: Room) -> None:
        self._journal = room.journal
        self._rows = sorted(room.rows, key=lambda row: row.version)

    def released(self, player_id: str, version: int) -> bool | None:
        """Whether the alarm of `version` released this player; None when nothing later tells."""
        entry = self._next_about(player_id, version)
        row = self._next_row(version)
        if row and (entry is None or row.version < entry.version):
            return player_id not in row.state.get("roster", {}).get("players", {})
        if entry is None or entry.command == "register":
            return None
        return False  # only a member leaves, speaks, or is away once more

    def closed(self, version: int) -> bool | None:
        """Whether the alarm of `version` closed the room: a closed one has no further turn."""
        if any(entry.version > version for entry in self._journal):
            return False
        row = self._next_row(version)
        return row.status == "closed" if row else None

    def _next_about(self, player_id: str, version: int) -> Journal | None:
        later = (entry for entry in self._journal if entry.version > version)
        return next((entry for entry in later if _is_about(entry, player_id)), None)

    def _next_row(self, version: int) -> Row | None:
        return next((row for row in self._rows if row.version >= version), None)


def _is_about(entry: Journal, player_id: str) -> bool:
    command = entry.entry.get("command", {})
    if entry.command == "alarm":
        return bool(command.get("name") == f"seat:{player_id}")
    payload = command.get("payload") or {}
    return player_id in (command.get("player_id"), payload.get("playerId"))
