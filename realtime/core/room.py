"""What a party sees of its room during one turn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.http import Standing
from contracts.limits import PHASE_MAX
from contracts.sockets import Close
from contracts.usernames import clean_username
from realtime.core import attendance, frames, presence
from realtime.core.alarms import Due
from realtime.core.document import Document
from realtime.core.effects import Disconnect, Effect, RefreshSoon, Reply, ToAll, ToEach, ToPlayer
from realtime.core.roster import Player, Roster
from realtime.core.rows import MatchRow, RoomKey
from realtime.core.surroundings import Chance, Surroundings

if TYPE_CHECKING:
    from realtime.core.party import Party


ALARM_MAX_S = 10 * 365 * 24 * 3600.0


class Room:
    """One room during one turn.

    Change `state`, `settings` and `phase` freely: a turn that returns is kept whole, one that
    raises leaves no trace. What is sent here leaves only after the turn is committed.
    """

    __slots__ = (
        "_connected",
        "_random",
        "_seed",
        "document",
        "effects",
        "key",
        "matches",
        "now",
        "party",
        "request_id",
        "surroundings",
    )

    def __init__(
        self,
        party: Party,
        key: RoomKey,
        document: Document[Any, Any],
        *,
        now: float,
        seed: int,
        request_id: str | UnsetType,
        surroundings: Surroundings,
    ) -> None:
        self.party = party
        self.document = document
        self.key = key
        self.now = now  # seconds since the epoch
        self._seed = seed
        self._random: Chance | None = None
        self._connected: tuple[object, frozenset[str]] = None, frozenset()
        self.request_id = request_id
        self.surroundings = surroundings
        self.effects: list[Effect] = []
        self.matches: list[MatchRow] = []

    @property
    def id(self) -> str:
        """The id that players share, such as `K7PQ2M`."""
        return self.key.room_id

    @property
    def random(self) -> Chance:
        """Chance that the journal can repeat."""
        if self._random is None:
            self._random = self.surroundings.chance(self._seed)
        return self._random

    @property
    def state(self) -> Any:
        """The party's own part, an instance of its `State`; change it, or assign another."""
        return self.document.state

    @state.setter
    def state(self, state: Any) -> None:
        self.document.state = state

    @property
    def settings(self) -> Any:
        """The room's settings, an instance of the party's `Settings`; assign to change them."""
        return self.document.settings

    @settings.setter
    def settings(self, settings: Any) -> None:
        self.document.settings = settings

    @property
    def phase(self) -> str:
        """Where the room's life stands; players may register only in the party's first phase."""
        return self.document.phase

    @phase.setter
    def phase(self, phase: str) -> None:
        legal = isinstance(phase, str) and 0 < len(phase) <= PHASE_MAX and phase.isprintable()
        if not legal:
            raise ValueError(f"A phase is a text of 1 to {PHASE_MAX} characters, not {phase!r}")
        self.document.phase = phase

    @property
    def roster(self) -> Roster:
        """The members, to be read; the room's own methods change it."""
        return self.document.roster

    @property
    def players(self) -> list[Player]:
        """The members of every role, in the order they joined."""
        return list(self.document.roster.players.values())

    @property
    def connected(self) -> frozenset[str]:
        """The ids of the players who have a connection, to whichever process."""
        known, ids = self._connected
        if known is not self.document.connected:
            known = self.document.connected
            ids = presence.everybody(known)
            self._connected = known, ids
        return ids

    @property
    def present(self) -> list[Player]:
        """The members who are connected, in the order they joined."""
        return [player for player in self.players if player.player_id in self.connected]

    def player(self, player_id: str) -> Player | None:
        """The member of this id."""
        return self.roster.member(player_id)

    def is_host(self, player: Player) -> bool:
        """Whether this player is the host."""
        return self.roster.is_host(player)

    def add_bot(self, username: str) -> Player:
        """Let a bot in. It has a name like everybody, and no seat under the cap. Raises
        USERNAME_TAKEN."""
        name = clean_username(username)
        if self.roster.has_name(name):
            raise RoomError(Code.USERNAME_TAKEN)
        bot = self.roster.add_bot(self.new_id("bot"), name, self.now)
        self.party.on_register(self, bot)
        return bot

    def new_id(self, prefix: str) -> str:
        """An id that nobody else has, such as `bot_9f0c…`."""
        return f"{prefix}_{self.random.getrandbits(128):032x}"

    @property
    def alarms(self) -> dict[str, Due]:
        """What is planned, by name; `alarm` and `cancel_alarm` change it."""
        return self.document.alarms

    def due(self, name: str) -> float | None:
        """When an alarm is due, in seconds since the epoch; None when there is none, or when it was
        given up."""
        found = self.document.alarms.get(name)
        return found.at if found and not found.parked else None

    @property
    def closed(self) -> bool:
        """Whether the room is over; then no command reaches it any more."""
        return self.document.expires_at is not None

    def alarm(self, name: str, after_s: float) -> None:
        """Have the party's `on_alarm` called with `name` once, `after_s` seconds from now or soon
        after, also if the service is restarted meanwhile. A later call moves the alarm. From 0 s to
        ten years."""
        self._check_alarm(name)
        if not 0 <= after_s <= ALARM_MAX_S:
            raise ValueError(f"The alarm {name!r} can't be due in {after_s!r} s: 0 to ten years")
        self.document.alarms[name] = Due(self.now + after_s)

    def cancel_alarm(self, name: str) -> None:
        """Forget an alarm; harmless when there is none."""
        self._check_alarm(name)
        self.document.alarms.pop(name, None)

    def reply(self, kind: str, payload: object) -> None:
        """Answer the connection that sent this message; its request id is echoed."""
        self.effects.append(Reply(frames.frame(kind, payload, request_id=self.request_id)))

    def send(self, player: Player, kind: str, payload: object) -> None:
        """Tell one player, on each of its connections."""
        self.effects.append(ToPlayer(player.player_id, frames.frame(kind, payload)))

    def broadcast(self, kind: str, payload: object) -> None:
        """Tell everybody. The room's `seq` counts it, so a client can see a gap."""
        self.effects.append(ToAll(frames.frame(kind, payload, seq=self._next_seq())))

    def broadcast_view(self) -> None:
        """Show everybody the room as it is now, each with its own part: one kept broadcast."""
        self.effects.append(self.views(self.connected, seq=self._next_seq()))

    def refresh(self) -> None:
        """Show everybody the room soon; many refreshes within a moment cost one."""
        self.effects.append(RefreshSoon())

    def disconnect(self, player: Player, code: Close = Close.NORMAL) -> None:
        """Close every connection of one player."""
        self.effects.append(Disconnect(player.player_id, code))

    def close(self) -> None:
        """End the room for good. When the turn has been told, everybody is sent away, and nothing
        happens here any more."""
        self.document.expires_at = self.now + self.surroundings.graces.closed_s

    def record(
        self, match_id: str, started_at: float, end_reason: str, standings: Sequence[Standing]
    ) -> None:
        """Keep a match that ends now for good, in the same commit as this turn.

        `match_id` is one of `new_id`, `started_at` is in seconds since the epoch. The match is
        found by its id, in its room's list and, its players' scores, on the leaderboard.
        """
        match = MatchRow(
            match_id=match_id,
            started_at=started_at,
            ended_at=self.now,
            end_reason=end_reason,
            settings=jsonio.encode(self.settings),
            standings=tuple(standings),
        )
        if len({one.player_id for one in match.standings}) < len(match.standings):
            raise ValueError("A participant stands in the standings once")
        # Struct types are checked when they are read, so that a wrong one is named here, not there.
        self.matches.append(msgspec.json.decode(jsonio.encode(match), type=MatchRow))

    def release(self, player: Player, code: Close = Close.NORMAL) -> None:
        """Let a player go for good: seat and name are free, the token opens nothing."""
        self.roster.release(player)
        self._part(player, code)

    def retire(self, player: Player, code: Close = Close.NORMAL) -> None:
        """Let a player go who stays listed: name and seat stay taken, the token opens nothing."""
        self.roster.retire(player)
        self._part(player, code)

    def forget_retired(self) -> None:
        """Those who were retired are no members any more: seats and names are free."""
        self.roster.forget_retired()

    def views(self, ids: Collection[str], *, seq: int | UnsetType = UNSET) -> ToEach:
        """The room as each of these players may see it now; the shared part is encoded once."""
        view = frames.View(self.party.snapshot_type, self.party.view(self), seq=seq)
        own = self.party.own_view
        parts = {
            one.player_id: view.own(own(self, one)) for one in self.players if one.player_id in ids
        }
        return ToEach(view.head, view.shared, parts, kept=seq is not UNSET)

    def view_for(self, player: Player) -> bytes:
        """The room as one player may see it now, as a direct answer."""
        shared: Mapping[str, object] = self.party.view(self)
        view = frames.View(self.party.snapshot_type, shared, request_id=self.request_id)
        return view.frame(self.party.own_view(self, player))

    def _part(self, player: Player, code: Close) -> None:
        self.disconnect(player, code)
        known = self.document.connected
        self.document.connected = presence.without_player(known, player.player_id)
        self.party.on_leave(self, player)
        if self.closed:
            return
        if host := self.roster.elect(self.connected):
            self.party.on_host(self, host)

    def _check_alarm(self, name: str) -> None:
        if attendance.is_reserved(name):
            raise ValueError(f"The alarm {name!r} is the room's own: choose another name")

    def _next_seq(self) -> int:
        self.document.seq += 1
        return self.document.seq
