"""What members say to a room, and the frames by which they learn that it was kept."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from tests.faultlab.history import Op, now

Frame = dict[str, Any]
# A chat room takes lines and departures only.
CHATTER = {"leet99": ("SEND_CHAT", "CHAT_APPEND"), "chat": ("chat.say", "chat.said")}
ACKNOWLEDGED_WITHIN_S = 14.0  # after that the operation's outcome is unknown
ONCE = ("start", "return", "bots")  # whose frames do not say whose command they come from


class Command(NamedTuple):
    """A message, its name in the history, and what shows that it was kept (None: a close does)."""

    op: str
    kind: str
    payload: dict[str, Any]
    shown_by: Callable[[Frame], bool] | None


class Waiting:
    """An operation that was sent, until a frame shows what became of it."""

    def __init__(self, op: Op, command: Command) -> None:
        self.op = op
        self.command = command
        self.until = now() + ACKNOWLEDGED_WITHIN_S


def say(party: str, text: str, player_id: str) -> Command:
    kind, shown = CHATTER[party]

    def mine(frame: Frame) -> bool:
        if frame["type"] != shown:
            return False
        payload = frame["payload"]
        line = payload.get("message", payload)
        author = line.get("fromPlayerId") or line.get("playerId")
        return line["text"] == text and author == player_id

    return Command("chat", kind, {"text": text}, mine)


def set_up(patch: dict[str, Any]) -> Command:
    def shown(frame: Frame) -> bool:
        settings = frame["payload"].get("settings", {})
        return frame["type"] == "SETTINGS_UPDATE" and patch.items() <= settings.items()

    return Command("settings", "UPDATE_SETTINGS", {"patch": patch}, shown)


def add_bots(count: int) -> Command:
    return Command("bots", "ADD_BOTS", {"count": count}, _a_bot)


def start() -> Command:
    return Command("start", "START_MATCH", {}, lambda frame: frame["type"] == "MATCH_STARTED")


def go_back() -> Command:
    return Command("return", "RETURN_TO_LOBBY", {}, lambda frame: _phase(frame) == "lobby")


def kick(player_id: str) -> Command:
    return Command("kick", "KICK", {"playerId": player_id}, None)


def leave() -> Command:
    return Command("leave", "LEAVE_ROOM", {}, None)


def _a_bot(frame: Frame) -> bool:
    return (
        frame["type"] == "PLAYER_UPDATE" and frame["payload"].get("player", {}).get("role") == "bot"
    )


def _phase(frame: Frame) -> str | None:
    if frame["type"] != "ROOM_SNAPSHOT":
        return None
    return str(frame["payload"].get("match", {}).get("phase"))


def reduced(frame: Frame) -> Frame:
    """The payload without what no rule is about."""
    payload = frame["payload"]
    if frame["type"] == "MATCH_END":
        return {name: payload[name] for name in ("matchId", "endReason")}
    if frame["type"] != "ROOM_SNAPSHOT":
        return payload
    kept: dict[str, Any] = {"roomId": payload["roomId"]}
    if "messages" in payload:
        kept["messages"] = [_some(one, "playerId", "text") for one in payload["messages"]]
    kept["me"] = _some(payload["me"], "playerId", "isHost")
    member = ("playerId", "username", "role", "isHost")
    kept["players"] = [_some(one, *member) for one in payload["players"]]
    if match := payload.get("match"):
        kept["match"] = _some(match, "matchId", "phase")
        kept["match"]["settings"] = _some(match["settings"], "playerCap")
        line = ("id", "kind", "text", "fromPlayerId")
        kept["chat"] = [_some(one, *line) for one in payload["chat"]]
    return kept


def _some(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


class Tongue:
    """What a room has to be asked for, each thing once, so that answers can be told apart."""

    def __init__(self, chance: Random) -> None:
        values = [(stack, queue) for stack in range(5, 21) for queue in range(1, 6)]
        chance.shuffle(values)
        self._patches = [{"stackLimit": one, "startingQueued": two} for one, two in values]
        self._under_way: dict[str, Op] = {}
        self._in_doubt: set[str] = set()
        self.kicks: dict[str, Op] = {}  # by the player who is to go

    def patch(self) -> dict[str, Any] | None:
        """Settings that nobody wished for yet; None when there are no more."""
        return self._patches.pop() if self._patches else None

    def may_ask(self, op: str) -> bool:
        """Whether an acknowledgement would be this one's."""
        return op not in ONCE or op not in self._under_way

    def asked(self, op: Op) -> None:
        name = op.fields["op"]
        if name in ONCE:
            self._under_way[name] = op

    def settle(self, op: Op, *, shown: bool) -> None:
        """The frame has come, or nothing will. After one unknown, nobody's is certain."""
        name = op.fields["op"]
        if self._under_way.get(name) is op:
            del self._under_way[name]
        if shown and name not in self._in_doubt:
            op.ok()
        elif op.open:
            op.unknown(answered=shown)
        if name in ONCE and op.outcome == "unknown":
            self._in_doubt.add(name)
