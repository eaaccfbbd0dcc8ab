"""A room of any party to try out, without a server: act and assert in the domain's words.

    room = opened(MyParty, players=["alice", "bob"])
    assert room.receive("alice", "GUESS", {"number": 7}).ok
    assert room.broadcasts == [("GUESSED", {"username": "alice", "number": 7})]
    room.advance(30)  # alarms take effect at their times

Each act is a turn, committed at once; `broadcasts`, `frames`, `kinds` and `closed` tell what the
last act has sent. It runs on the service's own rules: what happens here happens there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.usernames import clean_username
from realtime.core.commands import (
    Command,
    Connect,
    Inspect,
    Presence,
    Receive,
    Refresh,
    Register,
    Remove,
)
from realtime.core.document import decoder_of
from realtime.core.effects import (
    Disconnect,
    Effect,
    Enter,
    RefreshSoon,
    Reply,
    ToAll,
    ToEach,
    ToPlayer,
)
from realtime.core.messages import Message
from realtime.core.party import Party
from realtime.core.relay import Relay
from realtime.core.rows import Commit, MatchRow, RoomKey, Snapshot
from realtime.core.surroundings import Graces, Surroundings
from realtime.core.turns import Rung, Turn, Turns

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
        return msgspec.json.decode(jsonio.encode(self.turn.reply))


class RoomOnTrial:
    """One room, with a clock and a presence of its own. `alice` is the player `p_alice`."""

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
        self.connected: set[str] = set()
        self.commits: list[Commit] = []
        self.turn = Turn()  # the last one
        self.effects: list[Effect] = []  # of the last act
        self._surroundings = Surroundings(Random, max_spectators, graces, verify=True)
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

    def disconnect(self, name: str) -> Outcome:
        """`name` closes its last socket."""
        self.vanish(name)
        return self.run(Presence(left=(f"p_{name}",)))

    def vanish(self, name: str) -> None:
        """The last socket of `name` is gone, and nobody saw it go."""
        self.connected.discard(f"p_{name}")

    def receive(self, name: str, kind: str, payload: Any = None) -> Outcome:
        """A socket of `name` sends a message; a volatile one is relayed, and changes nothing."""
        raw, declared = jsonio.raw({} if payload is None else payload), self.party.messages
        if kind in declared and declared[kind].volatile:
            return self._relay(name, declared[kind], raw)
        return self.run(Receive(f"p_{name}", kind, raw))

    def _relay(self, name: str, message: Message, payload: msgspec.Raw) -> Outcome:
        self.effects = []
        relay = Relay(f"p_{name}", name, self.now, lambda frame: self.effects.append(ToAll(frame)))
        try:
            message.handle(payload, self.party, relay)
        except RoomError as error:
            return Outcome(Turn(error=error))
        except Exception as bug:  # noqa: BLE001  a party may raise anything
            return Outcome(Turn(error=RoomError(Code.INTERNAL_ERROR), bug=bug))
        return Outcome(Turn())

    def remove(self, name: str) -> Outcome:
        """An administrator removes `name`."""
        return self.run(Remove(f"p_{name}"))

    def inspect(self) -> Outcome:
        """Somebody reads the room's summary."""
        return self.run(Inspect())

    def refresh(self) -> Outcome:
        """The moment for a fresh view has come."""
        return self.run(Refresh())

    def advance(self, seconds: float) -> None:
        """Time passes, and alarms take effect at their times."""
        self.effects = []
        until = self.now + seconds
        while (due := self.turns.next_alarm) is not None and due <= until:
            self.now = max(self.now, due)
            self._ring()
        self.now = until

    def sleep(self, seconds: float) -> None:
        """Time passes while nothing serves the room: its alarms are late."""
        self.now += seconds

    def restart(self) -> None:
        """The service is killed and started again: what is stored is all there is."""
        self.connected.clear()
        self.reload(self.snapshot)

    def ring(self) -> list[Rung]:
        """Alarms that are due take effect, late or not."""
        self.effects = []
        return self._ring()

    def _ring(self) -> list[Rung]:
        self.turns.begin(self.now, self.connected)
        rung = self.turns.ring(self._seed)
        for one in rung:
            self._sent(one.turn)
        self._commit()
        return rung

    def run(self, command: Command) -> Outcome:
        """Run one turn, after alarms that are due, and commit what they leave."""
        self.ring()
        self.turns.begin(self.now, self.connected)
        self._sent(self.turns.run(command, self._seed()))
        self._commit()
        return Outcome(self.turn)

    def _seed(self) -> int:
        return len(self.commits)

    def _sent(self, turn: Turn) -> None:
        self.turn = turn
        self.effects += turn.effects
        self.connected -= self.closed.keys()

    def _commit(self) -> None:
        if draft := self.turns.draft():
            self.commits.append(draft)
            self.turns.committed()

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
    def state(self) -> Any:
        """The party's own part, an instance of its `State`, as committed."""
        return decoder_of(type(self.party)).decode(self.commits[-1].row.state).state

    @property
    def stored(self) -> dict[str, Any]:
        """Everything that is stored of the room, as JSON."""
        return msgspec.json.decode(self.commits[-1].row.state)

    @property
    def matches(self) -> list[MatchRow]:
        """The finished matches, in the order they were recorded."""
        return [match for commit in self.commits for match in commit.matches]

    def view_of(self, name: str) -> dict[str, Any]:
        """What `name`, who is connected, would see now."""
        self.turns.begin(self.now, self.connected)
        (views,) = self.turns.run(Refresh(), self._seed()).effects
        if f"p_{name}" not in views.frames:
            raise ValueError(f"{name} is not connected")
        return msgspec.json.decode(views.frames[f"p_{name}"])["payload"]

    def due(self, name: str) -> float | None:
        """In how many seconds an alarm is due; None when there is no such alarm."""
        found = self.stored["alarms"].get(name)
        return found["at"] - self.now if found else None

    @property
    def parked(self) -> int:
        """How many alarms were given up."""
        return self.commits[-1].row.alarms_parked

    @property
    def names(self) -> list[str]:
        """Usernames of all members, in the order they joined."""
        return [player["username"] for player in self.stored["roster"]["players"].values()]

    @property
    def host(self) -> str | None:
        return self.stored["roster"]["host"]

    @property
    def frames(self) -> list[tuple[str, dict[str, Any]]]:
        """Everything the last act sends, in order: to whom (`*`: everybody), and the frame."""
        sent: list[tuple[str, dict[str, Any]]] = []
        for effect in self.effects:
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
        """Type and payload of what the last act tells everybody."""
        return [(frame["type"], frame["payload"]) for to, frame in self.frames if to == "*"]

    @property
    def kinds(self) -> list[str]:
        """Types of the last act's frames, one for a view that goes to each."""
        kinds = [(to in ("*", "asker"), frame["type"]) for to, frame in self.frames]
        return [kind for n, (_, kind) in enumerate(kinds) if n == 0 or kinds[n - 1] != kinds[n]]

    @property
    def closed(self) -> dict[str, int]:
        """Whose sockets the last act closes, and with which code."""
        found = [effect for effect in self.effects if isinstance(effect, Disconnect)]
        return {effect.player_id: int(effect.code) for effect in found}

    @property
    def refreshes(self) -> bool:
        """Whether the last act asks for a fresh view soon."""
        return any(isinstance(effect, RefreshSoon) for effect in self.effects)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def opened(
    party: Party | type[Party], players: Sequence[str] = ("alice",), **settings: Any
) -> RoomOnTrial:
    """A room with these players, connected; the first is host."""
    room = RoomOnTrial(party)
    for number, name in enumerate(players):
        for outcome in (
            room.register(name, host=number == 0, settings=settings),
            room.connect(name),
        ):
            if not outcome.ok:
                raise ValueError(f"{name} could not come in: {outcome.error}") from outcome.bug
    return room
