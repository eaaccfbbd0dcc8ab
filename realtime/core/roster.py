"""Who belongs to a room: every rule about seats, names, roles and the host is here."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal

import msgspec
from msgspec import Struct

from contracts.errors import Code, RoomError, bad_request
from contracts.usernames import username_key
from realtime.core.commands import Register

Role = Literal["player", "spectator", "bot"]
REMOVED_KEPT = 1000


class Player(Struct, frozen=True):
    """A durable member of the room, in either role. Survives every connection it has."""

    player_id: str
    username: str
    username_key: str
    role: Role
    joined_at: float  # seconds since the epoch
    seat: int | None = None  # under the cap; spectators and bots have none
    arrived: bool = False  # whether a connection ever joined
    retired: bool = False  # has left a match: still listed, but the token opens nothing


class Credentials(Struct, frozen=True):
    """What a player is recognised by. Kept apart from the player, whom a view may show."""

    token_hash: str
    fingerprint: str  # of the request that admitted it


class Roster(Struct):
    """The members in the order they joined, and who of them is host."""

    players: dict[str, Player] = {}
    host: str | None = None
    credentials: dict[str, Credentials] = {}  # by player id; bots have none
    removed: list[str] = []  # ids of players who may not come back, the newest REMOVED_KEPT

    def count(self, role: Role) -> int:
        """How many members have this role."""
        return [player.role for player in self.players.values()].count(role)

    def find(self, token_hash: str) -> Player | None:
        """The player this token belongs to."""
        for player_id, known in self.credentials.items():
            if known.token_hash == token_hash:
                return self.member(player_id)
        return None

    def member(self, player_id: str) -> Player | None:
        """The player of this id, who is still part of the room."""
        player = self.players.get(player_id)
        return None if player is None or player.retired else player

    def has_name(self, username: str) -> bool:
        """Whether somebody of any role has this name, or one that reads the same."""
        key = username_key(username)
        return key in [player.username_key for player in self.players.values()]

    def is_host(self, player: Player) -> bool:
        """Whether this player is the host."""
        return self.host == player.player_id

    def recognise(self, ask: Register) -> Player | None:
        """The member who asks again. Raises FORBIDDEN when it was removed, IDEMPOTENCY_KEY_REUSED
        when it asks something else, MATCH_ALREADY_STARTED when it has left the match under way."""
        if ask.player_id in self.removed:
            raise RoomError(Code.FORBIDDEN, "You were removed from this room")
        known = self.players.get(ask.player_id)
        if known and self._fingerprint(known) != ask.fingerprint:
            raise RoomError(Code.IDEMPOTENCY_KEY_REUSED)
        if known and known.retired:
            raise RoomError(Code.MATCH_ALREADY_STARTED)
        return known

    def found(self, ask: Register, now: float) -> Player:
        """Seat the host of a new room."""
        host = self._seat(ask, now)
        self.host = host.player_id
        return host

    def admit(
        self, ask: Register, now: float, *, started: bool, cap: int, max_spectators: int
    ) -> Player:
        """Seat one more player. The order of the refusals is part of the wire."""
        if ask.is_host:
            raise RoomError(Code.ROOM_ALREADY_EXISTS)
        if ask.role == "player" and started:
            raise RoomError(Code.MATCH_ALREADY_STARTED)
        if self.has_name(ask.username):
            raise RoomError(Code.USERNAME_TAKEN)
        if self.count(ask.role) >= (cap if ask.role == "player" else max_spectators):
            raise RoomError(Code.ROOM_FULL)
        return self._seat(ask, now)

    def add_bot(self, player_id: str, username: str, now: float) -> Player:
        """Seat a bot. It has a name like everybody, but no seat under the cap and no token."""
        key = username_key(username)
        return self._put(Player(player_id, username, key, "bot", now, arrived=True))

    def arrive(self, player: Player) -> Player:
        """Note that the player's first connection has joined."""
        return self._put(msgspec.structs.replace(player, arrived=True))

    def release(self, player: Player) -> None:
        """Let the player go: the name and the seat are free, the token opens nothing."""
        del self.players[player.player_id]
        self.credentials.pop(player.player_id, None)
        if self.is_host(player):
            self.host = None

    def ban(self, player: Player) -> None:
        """Remember that this player may not register again."""
        self.removed = [*self.removed, player.player_id][-REMOVED_KEPT:]

    def retire(self, player: Player) -> None:
        """Let the player go, but keep name and seat until the match is over."""
        self._put(msgspec.structs.replace(player, retired=True))
        if self.is_host(player):
            self.host = None

    def forget_retired(self) -> None:
        """The match is over: who left it is no member any more."""
        for player in [one for one in self.players.values() if one.retired]:
            self.release(player)

    def elect(self, connected: AbstractSet[str]) -> Player | None:
        """Fill a vacant host's place: the connected player who joined first, else nobody."""
        if self.host is not None:
            return None
        for player in self.players.values():
            there = player.player_id in connected and not player.retired
            if player.role == "player" and there:
                self.host = player.player_id
                return player
        return None

    def _seat(self, ask: Register, now: float) -> Player:
        if ask.token_hash in [known.token_hash for known in self.credentials.values()]:
            raise bad_request("playerToken", "Another player of this room has this token")
        self.credentials[ask.player_id] = Credentials(ask.token_hash, ask.fingerprint)
        return self._put(
            Player(
                player_id=ask.player_id,
                username=ask.username,
                username_key=username_key(ask.username),
                role=ask.role,
                joined_at=now,
                seat=self._free_seat() if ask.role == "player" else None,
            )
        )

    def _fingerprint(self, player: Player) -> str:
        known = self.credentials.get(player.player_id)
        return known.fingerprint if known else ""

    def _free_seat(self) -> int:
        taken = {player.seat for player in self.players.values()}
        seat = 0
        while seat in taken:
            seat += 1
        return seat

    def _put(self, player: Player) -> Player:
        self.players[player.player_id] = player
        return player
