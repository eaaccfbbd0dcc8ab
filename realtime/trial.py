"""What can be seen of a room on trial, and of how a command ended. The acts: `realtime.testing`."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from msgspec.json import decode

from contracts import jsonio
from contracts.errors import Code, RoomError
from realtime.core import effects
from realtime.core.commands import Refresh
from realtime.core.document import Document, decoder_of
from realtime.core.party import Party
from realtime.core.presence import Sight
from realtime.core.rows import Commit, MatchRow, RoomKey, Snapshot
from realtime.core.surroundings import Graces, Surroundings
from realtime.core.turns import Turn, Turns

START = 1_700_000_000.0  # seconds since the epoch
UUID_OF_ROOM = UUID(int=1)


class Outcome:
    """How a command ended."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.bug = turn.bug

    @property
    def ok(self) -> bool:
        return self.turn.error is None

    @property
    def error(self) -> RoomError | None:
        """The refusal, with its message and details."""
        return self.turn.error

    @property
    def code(self) -> Code | None:
        return self.turn.error.code if self.turn.error else None

    @property
    def reply(self) -> Any:
        return decode(jsonio.encode(self.turn.reply))


class Looks:
    """One room, with a clock and a presence of its own. No look changes it."""

    def __init__(
        self,
        party: Party | type[Party],
        room_id: str = "K7PQ2M",
        *,
        max_spectators: int = 1000,
        graces: Graces = Graces(),  # noqa: B008  it is frozen
    ) -> None:
        self.party = party() if isinstance(party, type) else party
        self.key = RoomKey(self.party.slug, room_id)
        self.now = START  # seconds since the epoch
        self.connected: set[str] = set()  # ids of the players who have a connection
        self.commits: list[Commit] = []
        self.turn = Turn()  # the last one
        self.effects: list[effects.Effect] = []  # of the last act
        self._surroundings = Surroundings(Random, max_spectators, graces, verify=True)
        self._snapshot: Snapshot | None = None
        self._seeds = count()
        self.turns = self._turns()

    def _turns(self) -> Turns:
        """Turns that go on from the room as committed."""
        return Turns(
            self.party,
            self.key,
            self._snapshot,
            new_uuid=UUID_OF_ROOM,
            surroundings=self._surroundings,
        )

    def _seed(self) -> int:
        """Another one for each turn, and the same ones in every trial."""
        return next(self._seeds)

    @property
    def _sight(self) -> Sight:
        return Sight(here=frozenset(self.connected))

    @property
    def _document(self) -> Document[Any, Any]:
        return decoder_of(type(self.party)).decode(self._encoded)

    @property
    def _encoded(self) -> bytes:
        if self._snapshot is None:
            raise ValueError("There is no room yet: its host registers first")
        return self._snapshot.state

    # -- the room as committed ----------------------------------------------------------------

    @property
    def version(self) -> int:
        return self.turns.version

    @property
    def snapshot(self) -> Snapshot | None:
        """The room as committed, for `reload`."""
        return self._snapshot

    @property
    def state(self) -> Any:
        """The party's own part, an instance of its `State`: a copy."""
        return self._document.state

    @property
    def stored(self) -> dict[str, Any]:
        """Everything that is stored of the room, as JSON."""
        return decode(self._encoded, type=dict[str, Any])

    @property
    def over(self) -> bool:
        """Whether the room is closed: then no act reaches it any more."""
        return self._document.expires_at is not None

    @property
    def names(self) -> list[str]:
        """Usernames of all members, in the order they joined."""
        return [player.username for player in self._document.roster.players.values()]

    @property
    def host(self) -> str | None:
        """The host's player id."""
        return self._document.roster.host

    @property
    def parked(self) -> int:
        """How many alarms were given up."""
        return sum(due.parked for due in self._document.alarms.values())

    @property
    def matches(self) -> list[MatchRow]:
        """The finished matches, in the order they were recorded."""
        return [match for commit in self.commits for match in commit.matches]

    def due_in(self, name: str) -> float | None:
        """In how many seconds an alarm is due; None when there is no such alarm."""
        found = self._document.alarms.get(name)
        return found.at - self.now if found else None

    def view_of(self, name: str) -> dict[str, Any]:
        """What `name`, who is connected, would see now. Raises ValueError, from the party's own
        exception if it failed."""
        turns = self._turns()  # thrown away, with whatever this look would change
        turns.begin(self.now, self._sight.correct)
        turn = turns.run(Refresh(), seed=0)
        if turn.error:
            raise ValueError(f"{name} sees nothing: {turn.error}") from turn.bug
        (views,) = (one for one in turn.effects if isinstance(one, effects.ToEach))
        if f"p_{name}" not in views.own:
            raise ValueError(f"{name} is not connected")
        return dict(decode(views.frame(f"p_{name}"))["payload"])

    # -- what the last act has sent -----------------------------------------------------------

    @property
    def frames(self) -> list[tuple[str, dict[str, Any]]]:
        """Everything, in order: to whom (`*`: everybody), and the frame."""
        return [(to, decode(frame)) for one in self.effects for to, frame in _sent(one)]

    @property
    def broadcasts(self) -> list[tuple[str, Any]]:
        """Type and payload of what everybody is told."""
        return [(frame["type"], frame["payload"]) for to, frame in self.frames if to == "*"]

    @property
    def kinds(self) -> list[str]:
        """Types of the frames; a view that goes to each counts once."""
        sent = [_sent(one) for one in self.effects]
        return [decode(frames[0][1])["type"] for frames in sent if frames]

    @property
    def sent_away(self) -> dict[str, int]:
        """Whose sockets are closed, and with which code."""
        found = [effect for effect in self.effects if isinstance(effect, effects.Disconnect)]
        return {effect.player_id: int(effect.code) for effect in found}

    @property
    def refreshes(self) -> bool:
        """Whether a fresh view is asked for soon."""
        return any(isinstance(effect, effects.RefreshSoon) for effect in self.effects)


def _sent(effect: effects.Effect) -> list[tuple[str, bytes]]:
    """The frames of an effect, each with its receiver."""
    match effect:
        case effects.ToAll(frame):
            return [("*", frame)]
        case effects.Reply(frame) | effects.Enter(_, _, frame):
            return [("asker", frame)]
        case effects.ToPlayer(player, frame):
            return [(player, frame)]
        case effects.ToEach():
            return [(player, effect.frame(player)) for player in effect.own]
    return []
