"""leet99: a coding battle for 2 to 99 players."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from contracts.errors import Code, RoomError, bad_request
from contracts.leet99 import (
    AddBots,
    EndReason,
    Kick,
    Leet99Settings,
    MatchView,
    MeView,
    Phase,
    PlayerView,
    SendChat,
    Status,
    UpdateSettings,
)
from contracts.limits import BOTS_MAX
from contracts.sockets import Close
from contracts.texts import spoken
from realtime.core.instants import iso
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.room import Room
from realtime.core.roster import Player
from realtime.parties.leet99_match import (
    PARTICIPANTS_MIN,
    WARMUP_FROM_S,
    WARMUP_SHARE,
    Match,
    Participant,
    match_view,
)
from realtime.parties.leet99_talk import Talk

MAIN_BEGINS, TIME_EXPIRES = "main", "end"  # alarms


class Leet99State(Struct):
    """What a match room keeps besides its roster."""

    talk: Talk = msgspec.field(default_factory=Talk)
    match: Match | None = None
    bots: int = 0  # so far: their numbers are never used again


class Leet99(Party):
    """The match room: lobby, warmup, main, ended, and back to the lobby."""

    slug = "leet99"
    Settings = Leet99Settings
    State = Leet99State
    first_phase = Phase.LOBBY

    def cap(self, settings: Any) -> int:
        """The host's choice; bots and spectators do not count."""
        return int(settings.player_cap)

    def on_join(self, room: Room, player: Player) -> None:
        """The line comes once per player, after the snapshot that does not hold it."""
        room.state.talk.announce(room, f"{player.username} joined the room")
        super().on_join(room, player)

    def on_leave(self, room: Room, player: Player) -> None:
        """Everybody hears of it; a fresh view without the player follows."""
        room.state.talk.forget(player)
        super().on_leave(room, player)

    def on_host(self, room: Room, host: Player) -> None:
        """The new host learns it from the view, and then reads of it."""
        super().on_host(room, host)
        room.state.talk.announce(room, f"{host.username} is now the host")

    def on_alarm(self, room: Room, name: str) -> None:
        """The match's own times have come."""
        if name == MAIN_BEGINS:
            self._enter(room, Phase.MAIN)
        elif name == TIME_EXPIRES:
            self._end(room, "timeExpired")

    def dismiss(self, room: Room, player: Player, code: Close = Close.NORMAL) -> None:
        """Who goes during a match is eliminated, and stays in its standings."""
        match: Match | None = room.state.match
        if match is None or match.end_reason or player.player_id not in match.participants:
            super().dismiss(room, player, code)
            return
        match.eliminate(player.player_id)
        room.retire(player, code)
        if match.alive <= 1:
            self._end(room, "lastAlive")

    @message("SEND_CHAT", SendChat)
    def chat(self, room: Room, player: Player, said: SendChat) -> None:
        """Talk, while there is time for it."""
        if room.phase != Phase.LOBBY:
            raise RoomError(Code.FORBIDDEN, "Chat is open in the lobby only")
        room.state.talk.say(room, player, spoken(said.text))

    @message("UPDATE_SETTINGS", UpdateSettings)
    def update_settings(self, room: Room, player: Player, wish: UpdateSettings) -> None:
        """Change some settings; the others stay."""
        _check_host(room, player, Phase.LOBBY)
        settings, players = wish.patch.of(room.settings), room.roster.count("player")
        if settings.player_cap < players:
            raise bad_request("payload.patch.playerCap", f"{players} players are in the room")
        room.settings = settings
        room.broadcast("SETTINGS_UPDATE", {"settings": room.settings})

    @message("ADD_BOTS", AddBots)
    def add_bots(self, room: Room, player: Player, wish: AddBots) -> None:
        """Seat bots. They take part in the match, and no place of a player."""
        _check_host(room, player, Phase.LOBBY)
        if room.roster.count("bot") + wish.count > BOTS_MAX:
            raise bad_request("payload.count", f"A room holds {BOTS_MAX} bots at most")
        for _ in range(wish.count):
            room.add_bot(_next_bot_name(room))

    @message("START_MATCH")
    def start(self, room: Room, player: Player) -> None:
        """Close the room to new players and begin."""
        _check_host(room, player, Phase.LOBBY)
        participants = [one for one in room.players if one.role != "spectator"]
        if len(participants) < PARTICIPANTS_MIN:
            raise RoomError(Code.BAD_REQUEST, f"A match takes {PARTICIPANTS_MIN} participants")
        self._begin(room, participants)
        room.broadcast("MATCH_STARTED", {"match": _match(room)})
        room.broadcast_view()
        room.state.talk.announce(room, "Match started! Good luck!")
        room.state.talk.record(room, "Match started")

    @message("RETURN_TO_LOBBY")
    def return_to_lobby(self, room: Room, player: Player) -> None:
        """Clear the match for the next one. The chat stays; who left the match is forgotten."""
        _check_host(room, player, Phase.ENDED)
        room.state.match = None
        room.state.talk.log = []
        room.phase = Phase.LOBBY
        room.forget_retired()
        room.broadcast_view()

    @message("KICK", Kick)
    def kick(self, room: Room, player: Player, whom: Kick) -> None:
        """Send somebody away, who may not come back."""
        _check_host(room, player)
        target = room.player(whom.player_id)
        if target is None:
            raise RoomError(Code.PLAYER_NOT_FOUND)
        if target.player_id == player.player_id:
            raise RoomError(Code.FORBIDDEN, "To go yourself, leave the room")
        self.remove(room, target)

    def view(self, room: Room) -> Mapping[str, object]:
        """Everything but the recipient itself."""
        return {
            "roomId": room.id,
            "serverTime": iso(room.now),
            "players": [self.member(room, player) for player in room.players],
            "match": _match(room),
            "chat": room.state.talk.chat,
            "eventLog": room.state.talk.log,
        }

    def own_view(self, room: Room, player: Player) -> Mapping[str, object]:
        """Who the recipient is."""
        me = MeView(
            player_id=player.player_id,
            username=player.username,
            role=player.role,
            is_host=room.is_host(player),
            status=_status(room, player),
        )
        return {"me": me}

    def member(self, room: Room, player: Player) -> PlayerView:
        """A member as everybody sees it."""
        reached = _participant(room, player) or Participant()
        return PlayerView(
            player_id=player.player_id,
            username=player.username,
            role=player.role,
            status=_status(room, player),
            is_host=room.is_host(player),
            score=reached.score,
            streak=reached.streak,
            stack_size=reached.stack_size,
        )

    def _begin(self, room: Room, participants: list[Player]) -> None:
        duration = room.settings.match_duration_sec
        room.state.match = Match(
            match_id=room.new_id("m"),
            started_at=room.now,
            ends_at=room.now + duration,
            participants={one.player_id: Participant() for one in participants},
        )
        room.phase = Phase.WARMUP if duration >= WARMUP_FROM_S else Phase.MAIN
        if room.phase == Phase.WARMUP:
            room.alarm(MAIN_BEGINS, duration * WARMUP_SHARE)
        room.alarm(TIME_EXPIRES, duration)

    def _end(self, room: Room, reason: EndReason) -> None:
        room.cancel_alarm(MAIN_BEGINS)
        room.cancel_alarm(TIME_EXPIRES)
        match: Match = room.state.match
        result = match.end(reason, room.now, room.roster.players)
        room.record(match.match_id, match.started_at, reason, match.standings)
        room.broadcast("MATCH_END", result)
        self._enter(room, Phase.ENDED)

    def _enter(self, room: Room, phase: Phase) -> None:
        room.phase = phase
        update = {"matchId": room.state.match.match_id, "phase": phase}
        room.broadcast("MATCH_PHASE_UPDATE", update)


def _check_host(room: Room, player: Player, phase: Phase | None = None) -> None:
    """Raise FORBIDDEN unless this is the host and, where it matters, this phase."""
    if not room.is_host(player):
        raise RoomError(Code.FORBIDDEN, "Only the host may do that")
    if phase and room.phase != phase:
        when = "before the match starts" if phase is Phase.LOBBY else "when the match has ended"
        raise RoomError(Code.FORBIDDEN, f"That can be done {when}")


def _next_bot_name(room: Room) -> str:
    """`Bot N`: no number twice, and no name that somebody has."""
    while True:
        room.state.bots += 1
        name = f"Bot {room.state.bots}"
        if not room.roster.has_name(name):
            return name


def _match(room: Room) -> MatchView:
    return match_view(room.state.match, room.phase, room.settings)


def _participant(room: Room, player: Player) -> Participant | None:
    match: Match | None = room.state.match
    return match.participants.get(player.player_id) if match else None


def _status(room: Room, player: Player) -> Status:
    """What the player is doing; who takes no part in a match is in the lobby."""
    participant = _participant(room, player)
    return participant.status if participant else "lobby"
