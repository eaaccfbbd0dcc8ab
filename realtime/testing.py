"""A room of any party to try out, without a server: act and assert in the domain's words.

    room = opened(MyParty, players=["alice", "bob"])
    assert room.receive("alice", "GUESS", {"number": 7}).ok
    assert room.broadcasts == [("GUESSED", {"username": "alice", "number": 7})]
    room.advance(30)  # alarms take effect at their times

Each act is a turn, committed at once; `broadcasts`, `frames`, `kinds` and `sent_away` tell what
the last act has sent. It runs on the service's own rules: what happens here happens there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.usernames import clean_username
from realtime.auth import token_hash
from realtime.core import commands
from realtime.core.alarms import names_due
from realtime.core.effects import Disconnect, Enter, ToAll
from realtime.core.messages import Message
from realtime.core.party import Party
from realtime.core.relay import Relay
from realtime.core.rows import Snapshot
from realtime.core.turns import Rung, Turn
from realtime.trial import START, Looks, Outcome

__all__ = ["START", "Outcome", "RoomOnTrial", "opened"]

RINGS_MAX = 10_000  # at one moment; after that, time would never go on


class RoomOnTrial(Looks):
    """A room to act on. `alice` is the player `p_alice`."""

    def register(self, name: str, *, host: bool = False, **fields: Any) -> Outcome:
        """The lobby admits `name`, whose id is `p_<name>` unless told otherwise."""
        fields = {"player_id": f"p_{name}", "token": f"t_{name}", "settings": {}, **fields}
        token, settings = fields.pop("token"), jsonio.raw(fields.pop("settings"))
        said = jsonio.encode([name, host, token, settings, fields])
        return self.run(
            commands.Register(
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
        return self.run(commands.Connect(token_hash(token or f"t_{name}")))

    def disconnect(self, name: str) -> Outcome:
        """`name` closes its last socket."""
        self.vanish(name)
        return self.run(commands.Presence(left=(f"p_{name}",)))

    def vanish(self, name: str) -> None:
        """The last socket of `name` is gone, and nobody saw it go."""
        self.connected.discard(f"p_{name}")

    def receive(self, name: str, kind: str, payload: Any = None) -> Outcome:
        """A socket of `name` sends a message; a volatile one is relayed, and changes nothing.

        What a socket refuses by itself never reaches the room: a stranger, a bad payload.
        """
        player_id, raw = f"p_{name}", jsonio.raw({} if payload is None else payload)
        self.effects = []
        try:
            message = self._message(player_id, kind)
            if message.volatile:
                return self._relay(player_id, message, raw)
            known = message.canonical(raw)
        except RoomError as error:
            return Outcome(Turn(error=error))
        return self.run(commands.Receive(player_id, kind, known))

    def _message(self, player_id: str, kind: str) -> Message:
        if player_id not in self.connected:
            raise RoomError(Code.UNAUTHORIZED, "Send JOIN_ROOM first")
        return self.party.message_of(kind)

    def _relay(self, player_id: str, message: Message, payload: Raw) -> Outcome:
        try:
            message.handle(payload, self.party, self._relay_of(player_id))
        except RoomError:
            raise
        except Exception as bug:  # noqa: BLE001  a party may raise anything
            return Outcome(Turn(error=RoomError(Code.INTERNAL_ERROR), bug=bug))
        return Outcome(Turn())

    def _relay_of(self, player_id: str) -> Relay:
        player = self._document.roster.member(player_id)
        if player is None:  # since an earlier snapshot was loaded
            raise RoomError(Code.UNAUTHORIZED, "You are not a member of this room any more")
        return Relay(
            player_id, player.username, self.now, lambda frame: self.effects.append(ToAll(frame))
        )

    def remove(self, name: str) -> Outcome:
        """An administrator removes `name`."""
        return self.run(commands.Remove(f"p_{name}"))

    def close(self) -> Outcome:
        """An administrator closes the room."""
        return self.run(commands.EndRoom())

    def retry_alarms(self) -> Outcome:
        """An administrator gives parked alarms another try: they are due now."""
        return self.run(commands.RetryAlarms())

    def inspect(self) -> Outcome:
        """Somebody reads the room's summary."""
        return self.run(commands.Inspect())

    def refresh(self) -> Outcome:
        """The moment for a fresh view has come."""
        return self.run(commands.Refresh())

    def advance(self, seconds: float) -> None:
        """Time passes, and alarms take effect at their times. Raises RuntimeError when they ring
        on and on at one moment."""
        self.effects = []
        until, rings = self.now + seconds, 0
        while (due := self.turns.next_alarm) is not None and due <= until:
            rings = 0 if due > self.now else rings + 1
            if rings > RINGS_MAX:
                raise RuntimeError(self._endless())
            self.now = max(self.now, due)
            self._ring()
        self.now = until

    def _endless(self) -> str:
        names = " and ".join(map(repr, names_due(self._document.alarms, self.now)))
        return f"{names} rang {RINGS_MAX} times at one moment: on_alarm sets it again in 0 seconds"

    def sleep(self, seconds: float) -> None:
        """Time passes while nothing serves the room: its alarms are late."""
        self.now += seconds

    def restart(self) -> None:
        """The service is killed and started again: what is stored is all there is."""
        self.connected.clear()
        self.reload(self.snapshot)

    def reload(self, snapshot: Snapshot | None) -> None:
        """Forget what memory holds and go on from `snapshot`."""
        self._snapshot = snapshot
        self.turns = self._turns()

    def ring(self) -> list[Rung]:
        """Alarms that are due take effect, late or not."""
        self.effects = []
        return self._ring()

    def _ring(self) -> list[Rung]:
        self.turns.begin(self.now, self._sight.correct)
        rung = self.turns.ring(self._seed)
        for one in rung:
            self._ended(one.turn)
        self._commit()
        return rung

    def run(self, command: commands.Command) -> Outcome:
        """Run one turn, after alarms that are due, and commit what they leave."""
        self.ring()
        self.turns.begin(self.now, self._sight.correct)
        self._ended(self.turns.run(command, self._seed()))
        self._commit()
        return Outcome(self.turn)

    def _ended(self, turn: Turn) -> None:
        self.turn = turn
        self.effects += turn.effects
        self.connected |= {one.player_id for one in turn.effects if isinstance(one, Enter)}
        self.connected -= {one.player_id for one in turn.effects if isinstance(one, Disconnect)}

    def _commit(self) -> None:
        if draft := self.turns.draft():
            known = {match.match_id for match in self.matches}
            for match in draft.matches:
                if match.match_id in known:
                    raise ValueError(f"The match {match.match_id!r} is recorded already")
            self.commits.append(draft)
            self._snapshot = draft.snapshot
            self.turns.committed()


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
