"""What reads are asked in a query string: parsed at the edge of each tier, written by the client.

A parameter that is empty counts as absent; of one that comes twice, the last counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias, cast, get_args
from urllib.parse import parse_qsl, urlencode

from contracts.errors import RoomError, bad_request
from contracts.http import Window
from contracts.limits import LEADERS_LISTED, LISTED_MAX, MATCHES_LISTED
from contracts.paths import is_id

Parameters: TypeAlias = Mapping[str, str]
ListedStatus = Literal["open", "in_game"]
_INTEGER = re.compile(r"-?[0-9]+")


class RoomsQuery(NamedTuple):
    """Which public rooms of a party. None leaves the choice open."""

    status: ListedStatus | None = None
    has_space: bool | None = None
    cursor: str = ""  # where the page before ended

    @classmethod
    def read(cls, given: Parameters) -> RoomsQuery:
        """Raises BAD_REQUEST naming the bad parameter."""
        status = _one_of(given, "status", get_args(ListedStatus))
        has_space = _one_of(given, "hasSpace", ("true", "false"))
        cursor = given.get("cursor") or ""
        if cursor and not is_id(cursor):
            raise bad_cursor()
        wanted = None if has_space is None else has_space == "true"
        return cls(cast("ListedStatus | None", status), wanted, cursor)

    def __str__(self) -> str:
        has_space = None if self.has_space is None else str(self.has_space).lower()
        given = {"status": self.status, "hasSpace": has_space, "cursor": self.cursor}
        return urlencode({name: value for name, value in given.items() if value})


class LeaderboardQuery(NamedTuple):
    """The best scores of which time, and how many of them."""

    window: Window = "all"
    limit: int = LEADERS_LISTED

    @classmethod
    def read(cls, given: Parameters) -> LeaderboardQuery:
        """Raises BAD_REQUEST naming the bad parameter."""
        window = _one_of(given, "window", get_args(Window)) or "all"
        return cls(cast("Window", window), _limit(given, LEADERS_LISTED))

    def __str__(self) -> str:
        return urlencode(self._asdict())


class MatchesQuery(NamedTuple):
    """How many of a room's matches."""

    limit: int = MATCHES_LISTED

    @classmethod
    def read(cls, given: Parameters) -> MatchesQuery:
        """Raises BAD_REQUEST naming the bad parameter."""
        return cls(_limit(given, MATCHES_LISTED))

    def __str__(self) -> str:
        return urlencode(self._asdict())


def parameters(query_string: bytes) -> Parameters:
    """The parameters of a URL. What is no UTF-8 stays visible as U+FFFD, and is refused later."""
    return dict(parse_qsl(query_string.decode(errors="replace"), keep_blank_values=True))


def bad_cursor() -> RoomError:
    """The refusal of a cursor that no page has given."""
    return bad_request("cursor", "This is no cursor of a page")


def _one_of(given: Parameters, name: str, values: tuple[str, ...]) -> str | None:
    value = given.get(name) or None
    if value is not None and value not in values:
        raise bad_request(name, f"Expected one of: {', '.join(values)}")
    return value


def _limit(given: Parameters, default: int) -> int:
    text = given.get("limit") or str(default)
    if not _INTEGER.fullmatch(text):
        raise bad_request("limit", "Expected an integer")
    return int(max(1, min(LISTED_MAX, float(text))))  # a float takes digits without end
