"""What is said in a match room: its chat and its event log."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from contracts.errors import Code, RoomError
from contracts.leet99 import ChatLine, LogEntry
from contracts.limits import CHAT_KEPT
from realtime.core.instants import iso
from realtime.core.room import Room
from realtime.core.roster import Player

CHAT_LIMIT, CHAT_WINDOW_MS = 2, 500


class Talk(Struct):
    """The last lines, and who spoke when."""

    chat: list[ChatLine] = []
    log: list[LogEntry] = []
    lines: int = 0  # so far, of both: their ids are never used again
    spoke: dict[str, list[int]] = {}  # by player id: milliseconds since the epoch

    def announce(self, room: Room, text: str) -> None:
        """A chat line of the room itself."""
        self._append(room, ChatLine("", "", "system", text))

    def say(self, room: Room, player: Player, text: str) -> None:
        """A player's chat line. Raises RATE_LIMITED."""
        self._hold_to_rate(round(room.now * 1000), player.player_id)
        self._append(room, ChatLine("", "", "user", text, player.player_id, player.username))

    def record(self, room: Room, text: str) -> None:
        """A line of the event log."""
        entry = LogEntry(self._next_id("e"), iso(room.now), "info", text)
        self.log = [*self.log, entry][-CHAT_KEPT:]
        room.broadcast("EVENT_LOG_APPEND", {"entry": entry})

    def forget(self, player: Player) -> None:
        """The player is gone; what it said stays."""
        self.spoke.pop(player.player_id, None)

    def _append(self, room: Room, line: ChatLine) -> None:
        line = msgspec.structs.replace(line, id=self._next_id("c"), at=iso(room.now))
        self.chat = [*self.chat, line][-CHAT_KEPT:]
        room.broadcast("CHAT_APPEND", {"message": line})

    def _next_id(self, prefix: str) -> str:
        self.lines += 1
        return f"{prefix}{self.lines}"

    def _hold_to_rate(self, now: int, player_id: str) -> None:
        recent = [at for at in self.spoke.get(player_id, []) if now - CHAT_WINDOW_MS < at <= now]
        if len(recent) >= CHAT_LIMIT:
            wait_s = (recent[0] + CHAT_WINDOW_MS - now) / 1000
            raise RoomError(Code.RATE_LIMITED, "You are chatting too fast", retry_after_s=wait_s)
        self.spoke[player_id] = [*recent, now]
