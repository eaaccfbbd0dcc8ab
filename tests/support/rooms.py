"""A room of any party on the pure core: act and assert in the domain's words, without a server.

`room.receive("alice", "START_MATCH").ok` runs one turn and keeps it; `room.broadcasts` is what
everybody was sent by it.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from contracts import jsonio
from contracts.errors import Code
from contracts.usernames import clean_username
from realtime.core.commands import Command, Connect, Inspect, Receive, Refresh, Register
from realtime.core.effects import Disconnect, Enter, RefreshSoon, Reply, ToAll, ToEach, ToPlayer
from realtime.core.party import Party
from realtime.core.rows import Commit, RoomKey, Snapshot
from realtime.core.turns import Surroundings, Turn, Turns

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
    def code(self) -> Code | None:
        return self.turn.error.code if self.turn.error else None

    @property
    def reply(self) -> Any:
        return msgspec.json.decode(jsonio.encode(self.turn.reply))


class RoomOnTrial:
    """One room; every command is a turn of its own, committed at once."""

    def __init__(self, party: Party, room_id: str = "K7PQ2M", max_spectators: int = 1000) -> None:
        self.party = party
        self.key = RoomKey(party.slug, room_id)
        self.now = START
        self.connected: set[str] = set()
        self.commits: list[Commit] = []
        self.turn = Turn()
        self._surroundings = Surroundings(Random, max_spectators)
        self.reload(None)

    # -- act --------------------------------------------------------------------------------

    def register(self, name: str, *, host: bool = False, **fields: Any) -> Outcome:
        """The lobby admits `name`, whose id is `p_<name>` unless told otherwise."""
        fields = {"player_id": f"p_{name}", "token": f"t_{name}", "settings": {}, **fields}
        token, settings = fields.pop("token"), jsonio.raw(fields.pop("settings"))
        said = jsonio.encode([name, host, token, settings, fields])
        return self.run(
            Register(
                token_hash=token_hash(token),
                fingerprint=hashlib.sha256(said).hexdigest(),
                username=clean_username(name),
                is_host=host,
                settings=settings,
                **fields,
            )
        )

    def connect(self, name: str, token: str = "") -> Outcome:
        """A socket of `name` sends JOIN_ROOM."""
        outcome = self.run(Connect(token_hash(token or f"t_{name}")))
        if outcome.ok:
            self.connected.add(f"p_{name}")
        return outcome

    def disconnect(self, name: str) -> None:
        """The last socket of `name` closes."""
        self.connected.discard(f"p_{name}")

    def receive(self, name: str, kind: str, payload: Any = None) -> Outcome:
        """A socket of `name` sends a message."""
        return self.run(Receive(f"p_{name}", kind, jsonio.raw(payload or {})))

    def inspect(self) -> Outcome:
        """Somebody reads the room's summary."""
        return self.run(Inspect())

    def refresh(self) -> Outcome:
        """The moment for a fresh view has come."""
        return self.run(Refresh())

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    def run(self, command: Command) -> Outcome:
        """Run one turn and commit what it leaves."""
        self.turns.begin(self.now, self.connected)
        self.turn = self.turns.run(command, seed=len(self.commits))
        if draft := self.turns.draft():
            self.commits.append(draft)
            self.turns.committed()
        return Outcome(self.turn)

    def reload(self, snapshot: Snapshot | None) -> None:
        """Forget what memory holds and go on from `snapshot`."""
        self.turns = Turns(
            self.party,
            self.key,
            snapshot,
            new_uuid=UUID_OF_ROOM,
            surroundings=self._surroundings,
        )

    # -- assert -----------------------------------------------------------------------------

    @property
    def version(self) -> int:
        return self.turns.version

    @property
    def snapshot(self) -> Snapshot | None:
        """The room as committed."""
        return self.commits[-1].snapshot if self.commits else None

    @property
    def state(self) -> dict[str, Any]:
        """The committed state."""
        return msgspec.json.decode(self.commits[-1].row.state)

    @property
    def names(self) -> list[str]:
        """Usernames of all members, in the order they joined."""
        return [player["username"] for player in self.state["roster"]["players"].values()]

    @property
    def host(self) -> str | None:
        return self.state["roster"]["host"]

    @property
    def frames(self) -> list[tuple[str, dict[str, Any]]]:
        """Everything the last turn sends, in order: to whom (`*`: everybody), and the frame."""
        sent: list[tuple[str, dict[str, Any]]] = []
        for effect in self.turn.effects:
            match effect:
                case ToAll(frame):
                    sent.append(("*", msgspec.json.decode(frame)))
                case Reply(frame) | Enter(_, _, frame):
                    sent.append(("asker", msgspec.json.decode(frame)))
                case ToPlayer(player, frame):
                    sent.append((player, msgspec.json.decode(frame)))
                case ToEach(frames):
                    sent += [(player, msgspec.json.decode(one)) for player, one in frames.items()]
        return sent

    @property
    def broadcasts(self) -> list[tuple[str, Any]]:
        """Type and payload of what the last turn tells everybody."""
        return [(frame["type"], frame["payload"]) for to, frame in self.frames if to == "*"]

    @property
    def kinds(self) -> list[str]:
        """Types of the last turn's frames, one for a view that goes to each."""
        kinds = [(to in ("*", "asker"), frame["type"]) for to, frame in self.frames]
        return [kind for n, (_, kind) in enumerate(kinds) if n == 0 or kinds[n - 1] != kinds[n]]

    @property
    def closed(self) -> dict[str, int]:
        """Whose sockets the last turn closes, and with which code."""
        found = [effect for effect in self.turn.effects if isinstance(effect, Disconnect)]
        return {effect.player_id: int(effect.code) for effect in found}

    @property
    def refreshes(self) -> bool:
        """Whether the last turn asks for a fresh view soon."""
        return any(isinstance(effect, RefreshSoon) for effect in self.turn.effects)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def opened(party: Party, players: tuple[str, ...] = ("alice",), **settings: Any) -> RoomOnTrial:
    """A room with these players, connected; the first is host."""
    room = RoomOnTrial(party)
    for number, name in enumerate(players):
        assert room.register(name, host=number == 0, settings=settings).ok
        assert room.connect(name).ok
    return room
