"""URL paths and room ids, as both tiers and the browsers build and read them."""

from __future__ import annotations

import re

from contracts.limits import ROOM_ID_LENGTH

ID_PATTERN = r"[A-Za-z0-9_-]{1,64}"
PARTY_PATTERN = r"[a-z0-9][a-z0-9-]{0,31}"
LEADERBOARD_PATH = "/leaderboard"
_ID = re.compile(ID_PATTERN, re.ASCII)
_PARTY = re.compile(PARTY_PATTERN, re.ASCII)


def is_id(text: str) -> bool:
    """Whether `text` may stand as an id in a path; anything else is 404, not 400."""
    return _ID.fullmatch(text) is not None


def is_party(text: str) -> bool:
    """Whether `text` has the form of a party's slug."""
    return _PARTY.fullmatch(text) is not None


def canonical_room_id(room_id: str) -> str:
    """Codes of six letters and digits are typed by people, so their case does not count."""
    if len(room_id) == ROOM_ID_LENGTH and room_id.isascii() and room_id.isalnum():
        return room_id.upper()
    return room_id


def rooms_path(party: str) -> str:
    """Where a party's public rooms are listed."""
    return f"/parties/{party}"


def room_path(party: str, room_id: str) -> str:
    """The room's path on the realtime service, for its socket and below it its HTTP routes."""
    return rooms_path(party) + f"/{room_id}"


def register_path(party: str, room_id: str) -> str:
    """Where the lobby registers a player (service key)."""
    return f"/parties/{party}/{room_id}/register"


def state_path(party: str, room_id: str) -> str:
    """Where anybody may read a room's summary."""
    return room_path(party, room_id) + "/state"


def matches_path(party: str, room_id: str) -> str:
    """Where the matches of a room are listed."""
    return room_path(party, room_id) + "/matches"


def control_path(party: str, room_id: str) -> str:
    """Where an administrator's commands go (service key)."""
    return room_path(party, room_id) + "/control"


def match_path(match_id: str) -> str:
    """Where a finished match is reported."""
    return f"/matches/{match_id}"


def sockets_url(public_url: str) -> str:
    """What the `wsUrl` of every room begins with, before the room's path: `public_url` with a
    WebSocket scheme."""
    scheme, separator, rest = public_url.rstrip("/").partition("://")
    return {"http": "ws", "https": "wss"}.get(scheme, scheme) + separator + rest
