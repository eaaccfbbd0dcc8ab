"""Which room a frame belongs to, by the ids and texts that it names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from tests.faultlab.checker.history import History
from tests.faultlab.checker.matching import ADMITS
from tests.faultlab.checker.records import Frame
from tests.faultlab.checker.stored import Journal, Match
from tests.faultlab.checker.subjects import RoomKey

Homes: TypeAlias = Mapping[str, set[RoomKey]]


def find_homes(history: History) -> Homes:
    """The rooms of each player id, each chat text and each match id."""
    homes: defaultdict[str, set[RoomKey]] = defaultdict(set)
    for op in history.ops:
        if op.room is None:
            continue
        named = op.player_id if op.op in ADMITS else op.args.get("text")
        if named:
            homes[named].add(RoomKey(op.party, op.room))
    for entry in history.all(Journal):
        if entry.command == "register":
            homes[entry.entry["command"]["player_id"]].add(RoomKey(entry.party, entry.room))
    for match in history.all(Match):
        homes[match.match_id].add(RoomKey(match.party, match.room))
    return dict(homes)


def is_foreign(frame: Frame, key: RoomKey, homes: Homes) -> bool:
    """Whether a frame names a room, or something that is of other rooms only."""
    if not isinstance(frame.payload, dict):
        return False
    if frame.payload.get("roomId", key.room) != key.room:
        return True
    named = (homes.get(name) for name in _names(frame.payload))
    return any(rooms and key not in rooms for rooms in named)


def _names(payload: dict[str, Any]) -> Iterator[str]:
    for part in (payload, *(payload.get(name) for name in ("player", "message", "match"))):
        if isinstance(part, dict):
            fields = (part.get(name) for name in ("playerId", "fromPlayerId", "text", "matchId"))
            yield from (field for field in fields if isinstance(field, str))
    for player in payload.get("players", []):
        yield player["playerId"]
