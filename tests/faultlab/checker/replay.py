"""A room's journal run again by a model of its own: what was true at each version."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from tests.faultlab.checker.hindsight import Hindsight
from tests.faultlab.checker.names import name_key
from tests.faultlab.checker.state import FIRST_PHASE, Member, State
from tests.faultlab.checker.stored import Journal
from tests.faultlab.checker.subjects import Room

REPLAYED = ("leet99", "chat")  # the parties whose rules are known here
DURATION_S, WARMUP_FROM_S, WARMUP_SHARE = 600, 10, 0.1
CHATS = ("SEND_CHAT", "chat.say")


class Admission(NamedTuple):
    """An entry that made somebody a member."""

    version: int
    player_id: str
    username: str
    role: str


class Plan(NamedTuple):
    """A match's own alarms, as its start planned them: epoch seconds by name."""

    version: int
    due: dict[str, float]


class Replay:
    """The states of one room by version; 0 is before its creation, when there is no state."""

    def __init__(self, room: Room) -> None:
        self.states: dict[int, State] = {}
        self.admissions: list[Admission] = []
        self.releases: dict[str, list[int]] = {}  # versions by player id; sure ones
        self.plans: list[Plan] = []
        self.ended = 0  # matches
        self._hindsight = Hindsight(room)
        self._state = State()
        for entry in room.journal if room.key.party in REPLAYED else []:
            self._run(entry)

    @property
    def last(self) -> int:
        """The newest version."""
        return max(self.states, default=0)

    def at(self, version: int) -> State | None:
        """The state at a version; of a missing one, the state before it."""
        while version > 0 and version not in self.states:
            version -= 1
        return self.states.get(version)

    def _run(self, entry: Journal) -> None:
        self._state = self._state.copy()
        command = entry.entry.get("command", {})
        handler = getattr(self, "_" + entry.command.replace("-", "_"), None)
        if handler:
            handler(entry, command)
        self.states[entry.version] = self._state

    def _register(self, entry: Journal, command: dict[str, Any]) -> None:
        player_id, role = command["player_id"], command.get("role", "player")
        known = self._state.members.get(player_id)
        if known is not None and known.sure and known.username == command["username"]:
            return  # asked again: something else has changed
        if not self.states:
            self._state.settings = _given(command.get("settings"))
        self._state.put(Member(player_id, command["username"], role))
        self.admissions.append(Admission(entry.version, player_id, command["username"], role))

    def _receive(self, entry: Journal, command: dict[str, Any]) -> None:
        payload = command.get("payload") or {}
        kind = command["type"]
        if kind == "UPDATE_SETTINGS":
            self._state.settings |= _given(payload.get("patch"))
        elif kind == "ADD_BOTS":
            self._add_bots(payload["count"])
        elif kind == "START_MATCH":
            self._start(entry)
        elif kind == "RETURN_TO_LOBBY":
            self._return(entry.version)
        elif kind == "KICK":
            self._dismiss(entry.version, payload["playerId"])
        elif kind == "LEAVE_ROOM":
            self._dismiss(entry.version, command["player_id"])

    def _remove(self, entry: Journal, command: dict[str, Any]) -> None:
        self._dismiss(entry.version, command["player_id"])

    def _end_room(self, entry: Journal, command: dict[str, Any]) -> None:
        self._state.closed = True

    def _alarm(self, entry: Journal, command: dict[str, Any]) -> None:
        name = command["name"]
        if name == "main":
            self._state.phase = "main"
        elif name == "end":
            self._end()
        elif name == "empty":
            self._state.closed = self._hindsight.closed(entry.version)
        elif name.startswith("seat:"):
            self._perhaps_dismiss(entry.version, name.removeprefix("seat:"))

    def _perhaps_dismiss(self, version: int, player_id: str) -> None:
        """The alarm of one who is away: too late, or back meanwhile, and it changes nothing."""
        gone = self._hindsight.released(player_id, version)
        member = self._state.members.get(player_id)
        if gone:
            self._dismiss(version, player_id)
        elif gone is None and member:
            self._state.put(msgspec.structs.replace(member, sure=False))

    def _add_bots(self, count: int) -> None:
        for _ in range(count):
            taken = {member.key for member in self._state.members.values()}
            self._state.bots += 1
            while name_key(f"Bot {self._state.bots}") in taken:
                self._state.bots += 1
            name = f"Bot {self._state.bots}"
            self._state.put(Member(f"bot:{name}", name, "bot"))

    def _start(self, entry: Journal) -> None:
        state = self._state
        duration = state.settings.get("matchDurationSec", DURATION_S)
        state.phase = "warmup" if duration >= WARMUP_FROM_S else "main"
        playing = [one for one in state.members.values() if one.role != "spectator"]
        state.alive = frozenset(one.player_id for one in playing)
        state.vague = not all(one.sure for one in playing)
        due = {"end": entry.at + duration}
        if state.phase == "warmup":
            due["main"] = entry.at + duration * WARMUP_SHARE
        self.plans.append(Plan(entry.version, due))

    def _return(self, version: int) -> None:
        self._state.phase, self._state.vague = FIRST_PHASE, False
        for member in [one for one in self._state.members.values() if one.retired]:
            self._state.drop(member.player_id)

    def _end(self) -> None:
        self._state.phase, self._state.alive, self._state.vague = "ended", frozenset(), False
        self.ended += 1

    def _dismiss(self, version: int, player_id: str) -> None:
        state = self._state
        member = state.members.get(player_id)
        if member is None:
            return
        self.releases.setdefault(player_id, []).append(version)
        if player_id not in state.alive:
            state.drop(player_id)
            return
        state.alive -= {player_id}
        state.put(msgspec.structs.replace(member, retired=True))
        if len(state.alive) <= 1:
            self._end()


def _given(settings: dict[str, Any] | None) -> dict[str, Any]:
    """The settings that somebody has written."""
    return {name: value for name, value in (settings or {}).items() if value is not None}
