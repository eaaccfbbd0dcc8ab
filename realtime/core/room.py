"""What a party sees of its room during one turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import UNSET, UnsetType

from contracts.sockets import Close
from realtime.core import frames
from realtime.core.document import Document
from realtime.core.effects import Disconnect, Effect, RefreshSoon, Reply, ToAll, ToEach, ToPlayer
from realtime.core.roster import Player, Roster
from realtime.core.rows import RoomKey

if TYPE_CHECKING:
    from realtime.core.party import Party


class Chance(Protocol):
    """What a turn may draw, from the seed its journal entry keeps (a `random.Random`)."""

    def random(self) -> float: ...
    def getrandbits(self, k: int, /) -> int: ...
    def randint(self, a: int, b: int) -> int: ...
    def choice(self, seq: Sequence[Any]) -> Any: ...
    def shuffle(self, x: list[Any]) -> None: ...


class Room:
    """One room during one turn.

    Change `state`, `settings` and `phase` freely: a turn that returns is kept whole, one that
    raises leaves no trace. What is sent here leaves only after the turn is committed.
    """

    __slots__ = (
        "_chance",
        "_random",
        "connected",
        "document",
        "effects",
        "key",
        "max_spectators",
        "now",
        "party",
        "request_id",
    )

    def __init__(
        self,
        party: Party,
        key: RoomKey,
        document: Document[Any, Any],
        *,
        now: float,
        chance: Callable[[], Chance],
        connected: frozenset[str],
        request_id: str | UnsetType,
        max_spectators: int,
    ) -> None:
        self.party = party
        self.document = document
        self.key = key
        self.now = now  # seconds since the epoch
        self._chance = chance
        self._random: Chance | None = None
        self.connected = connected  # ids of the players who have a connection
        self.request_id = request_id
        self.max_spectators = max_spectators
        self.effects: list[Effect] = []

    @property
    def id(self) -> str:
        """The id that players share, such as `K7PQ2M`."""
        return self.key.room_id

    @property
    def random(self) -> Chance:
        """Chance that the journal can repeat."""
        if self._random is None:
            self._random = self._chance()
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
        self.document.phase = phase

    @property
    def roster(self) -> Roster:
        """The members. Read it freely; `release` is the way to change it."""
        return self.document.roster

    @property
    def players(self) -> list[Player]:
        """The members of every role, in the order they joined."""
        return list(self.document.roster.players.values())

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
        self.effects.append(self.views(seq=self._next_seq()))

    def refresh(self) -> None:
        """Show everybody the room soon; many refreshes within a moment cost one."""
        self.effects.append(RefreshSoon())

    def close(self, player: Player, code: Close = Close.NORMAL) -> None:
        """Close every connection of one player."""
        self.effects.append(Disconnect(player.player_id, code))

    def release(self, player: Player, code: Close = Close.NORMAL) -> None:
        """Let a player go for good: seat and name are free, the token opens nothing."""
        self.roster.release(player)
        self._part(player, code)

    def retire(self, player: Player, code: Close = Close.NORMAL) -> None:
        """Let a player go who stays listed: name and seat stay taken, the token opens nothing."""
        self.roster.retire(player)
        self._part(player, code)

    def views(self, *, seq: int | UnsetType = UNSET) -> ToEach:
        """The room as each connected player may see it now; the shared part is encoded once."""
        view = frames.View(self.party.snapshot_type, self.party.view(self), seq=seq)
        own = self.party.own_view
        present = [player for player in self.players if player.player_id in self.connected]
        return ToEach({player.player_id: view.frame(own(self, player)) for player in present})

    def view_for(self, player: Player) -> bytes:
        """The room as one player may see it now, as a direct answer."""
        shared: Mapping[str, object] = self.party.view(self)
        view = frames.View(self.party.snapshot_type, shared, request_id=self.request_id)
        return view.frame(self.party.own_view(self, player))

    def _part(self, player: Player, code: Close) -> None:
        self.close(player, code)
        self.party.on_leave(self, player)
        if host := self.roster.elect(self.connected - {player.player_id}):
            self.party.on_host(self, host)

    def _next_seq(self) -> int:
        self.document.seq += 1
        return self.document.seq
