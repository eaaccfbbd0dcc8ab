"""leet99: a coding battle for 2 to 99 players."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from contracts.errors import Code, RoomError
from contracts.leet99 import (
    ChatLine,
    Leet99Settings,
    LogEntry,
    MatchView,
    MeView,
    PlayerView,
    SendChat,
    Status,
)
from contracts.limits import CHAT_KEPT
from contracts.sockets import Empty
from contracts.texts import spoken
from realtime.core.instants import iso
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.room import Room
from realtime.core.roster import Player

CHAT_LIMIT, CHAT_WINDOW_MS = 2, 500
WARMUP_FROM_S = 10  # no warmup in shorter matches
PARTICIPANTS_MIN = 2


class Match(Struct, frozen=True):
    """A match under way."""

    match_id: str
    started_at: float  # seconds since the epoch
    ends_at: float


class Leet99State(Struct):
    """What a match room keeps besides its roster."""

    match: Match | None = None
    statuses: dict[str, Status] = {}  # of participants, by player id
    chat: list[ChatLine] = []
    log: list[LogEntry] = []
    lines: int = 0  # chat lines and log entries so far: their ids are never used again
    spoke: dict[str, list[int]] = {}  # when each player last spoke, milliseconds since the epoch


class Leet99(Party):
    """The match room."""

    slug = "leet99"
    Settings = Leet99Settings
    State = Leet99State

    def cap(self, settings: Any) -> int:
        """The host's choice; bots and spectators do not count."""
        return int(settings.player_cap)

    def on_join(self, room: Room, player: Player) -> None:
        """The line comes once per player, after the snapshot that does not hold it."""
        self._say(room, f"{player.username} joined the room")
        super().on_join(room, player)

    def on_leave(self, room: Room, player: Player) -> None:
        """Everybody hears of it; a fresh view without the player follows."""
        room.state.spoke.pop(player.player_id, None)
        super().on_leave(room, player)

    def on_host(self, room: Room, host: Player) -> None:
        """The new host learns it from the view, and then reads of it."""
        super().on_host(room, host)
        self._say(room, f"{host.username} is now the host")

    def view(self, room: Room) -> Mapping[str, object]:
        """Everything but the recipient itself."""
        return {
            "roomId": room.id,
            "serverTime": iso(room.now),
            "players": [self.member(room, player) for player in room.players],
            "match": match_view(room),
            "chat": room.state.chat,
            "eventLog": room.state.log,
        }

    def own_view(self, room: Room, player: Player) -> Mapping[str, object]:
        """Who the recipient is."""
        me = MeView(
            player_id=player.player_id,
            username=player.username,
            role=player.role,
            is_host=room.roster.is_host(player),
            status=status_of(room, player),
        )
        return {"me": me}

    def member(self, room: Room, player: Player) -> PlayerView:
        """A member as everybody sees it."""
        return PlayerView(
            player_id=player.player_id,
            username=player.username,
            role=player.role,
            status=status_of(room, player),
            is_host=room.roster.is_host(player),
        )

    @message("SEND_CHAT", SendChat)
    def chat(self, room: Room, player: Player, said: SendChat) -> None:
        """Talk, while there is time for it."""
        if room.phase != "lobby":
            raise RoomError(Code.FORBIDDEN, "Chat is open in the lobby only")
        text = spoken(said.text)
        self._hold_to_rate(room, player)
        self._append(room, ChatLine("", "", "user", text, player.player_id, player.username))

    @message("START_MATCH")
    def start(self, room: Room, player: Player, nothing: Empty) -> None:
        """Close the room to new players and begin."""
        if not room.roster.is_host(player):
            raise RoomError(Code.FORBIDDEN, "Only the host starts the match")
        if room.phase != "lobby":
            raise RoomError(Code.FORBIDDEN, "The match has already started")
        participants = [one for one in room.players if one.role != "spectator"]
        if len(participants) < PARTICIPANTS_MIN:
            raise RoomError(Code.BAD_REQUEST, f"A match takes {PARTICIPANTS_MIN} participants")
        self._begin(room, participants)
        room.broadcast("MATCH_STARTED", {"match": match_view(room)})
        room.broadcast_view()
        self._say(room, "Match started! Good luck!")
        self._log(room, "Match started")

    @message("LEAVE_ROOM")
    def leave(self, room: Room, player: Player, nothing: Empty) -> None:
        """Who leaves a match is eliminated, and stays in its standings."""
        if room.phase == "lobby" or player.role == "spectator":
            room.release(player)
            return
        room.state.statuses[player.player_id] = "eliminated"
        room.retire(player)

    def _begin(self, room: Room, participants: list[Player]) -> None:
        duration = room.settings.match_duration_sec
        match_id = f"m_{room.random.getrandbits(128):032x}"
        room.state.match = Match(match_id, room.now, room.now + duration)
        room.state.statuses = {one.player_id: "coding" for one in participants}
        room.phase = "warmup" if duration >= WARMUP_FROM_S else "main"

    def _hold_to_rate(self, room: Room, player: Player) -> None:
        now = round(room.now * 1000)
        spoken_at = room.state.spoke.get(player.player_id, [])
        recent = [at for at in spoken_at if at > now - CHAT_WINDOW_MS]
        if len(recent) >= CHAT_LIMIT:
            wait_s = (recent[0] + CHAT_WINDOW_MS - now) / 1000
            raise RoomError(Code.RATE_LIMITED, "You are chatting too fast", retry_after_s=wait_s)
        room.state.spoke[player.player_id] = [*recent, now]

    def _say(self, room: Room, text: str) -> None:
        self._append(room, ChatLine("", "", "system", text))

    def _append(self, room: Room, line: ChatLine) -> None:
        line = msgspec.structs.replace(line, id=self._line_id(room, "c"), at=iso(room.now))
        room.state.chat = [*room.state.chat, line][-CHAT_KEPT:]
        room.broadcast("CHAT_APPEND", {"message": line})

    def _log(self, room: Room, text: str) -> None:
        entry = LogEntry(self._line_id(room, "e"), iso(room.now), "info", text)
        room.state.log = [*room.state.log, entry][-CHAT_KEPT:]
        room.broadcast("EVENT_LOG_APPEND", {"entry": entry})

    def _line_id(self, room: Room, prefix: str) -> str:
        room.state.lines += 1
        return f"{prefix}{room.state.lines}"


def status_of(room: Room, player: Player) -> Status:
    """What the player is doing; outside a match everybody is in the lobby."""
    status: Status = room.state.statuses.get(player.player_id, "lobby")
    return status


def match_view(room: Room) -> MatchView:
    """The match, or the lobby before it."""
    match: Match | None = room.state.match
    start: str | UnsetType = iso(match.started_at) if match else UNSET
    end: str | UnsetType = iso(match.ends_at) if match else UNSET
    return MatchView(match.match_id if match else None, room.phase, room.settings, start, end)
