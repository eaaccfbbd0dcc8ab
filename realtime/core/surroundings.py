"""What turns take from outside: a way to chance, and the numbers that they obey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol


class Chance(Protocol):
    """What a turn may draw, from the seed its journal entry keeps (a `random.Random`)."""

    def random(self) -> float: ...
    def getrandbits(self, k: int, /) -> int: ...
    def randint(self, a: int, b: int) -> int: ...
    def choice(self, seq: Sequence[Any]) -> Any: ...
    def shuffle(self, x: list[Any]) -> None: ...


class Graces(NamedTuple):
    """How long what is missing is waited for, in seconds. Every one is a setting."""

    host_left_s: float = 5  # a host who closed the last socket
    host_lost_s: float = 15  # a host whose socket we closed, or whose going nobody saw
    seat_s: float = 60  # a member who is not there while players gather; 0: for ever
    empty_s: float = 3600  # a room where nobody is connected and nothing is planned
    roll_call_s: float = 60  # between two looks at who is connected
    late_s: float = 5  # an absence that rings later than this was not watched: it starts anew
    closed_s: float = 24 * 3600  # a closed room keeps its code


class Surroundings(NamedTuple):
    """The same for all rooms of a process."""

    chance: Callable[[int], Chance]
    max_spectators: int = 1000
    graces: Graces = Graces()
    verify: bool = False  # read back every state before it is kept
