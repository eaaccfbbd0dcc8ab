"""What a journal says of a room at one version, as far as it can be known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from tests.faultlab.checker.names import name_key

CAP = 99  # unless the settings say otherwise
FIRST_PHASE = "lobby"


class Member(Struct, frozen=True):
    """A member of the room."""

    player_id: str
    username: str
    role: str
    retired: bool = False
    sure: bool = True  # False: an alarm may have released it

    @property
    def key(self) -> str:
        """The name's identity."""
        return name_key(self.username)

    @property
    def holds_token(self) -> bool:
        """Whether its token surely opens the room."""
        return self.sure and not self.retired


class State(Struct):
    """A room after one of its turns."""

    settings: dict[str, Any] = field(default_factory=dict)
    phase: str = FIRST_PHASE
    members: dict[str, Member] = field(default_factory=dict)
    alive: frozenset[str] = frozenset()  # who is still in the match under way
    bots: int = 0  # so far
    closed: bool | None = False  # None: nobody can tell
    vague: bool = False  # whether the phase may be another one

    def copy(self) -> State:
        """Another state to change; members are frozen."""
        return msgspec.structs.replace(
            self, settings=dict(self.settings), members=dict(self.members)
        )

    @property
    def cap(self) -> int:
        """How many players there may be."""
        return int(self.settings.get("playerCap", CAP))

    @property
    def started(self) -> bool:
        """Whether it has surely left the first phase."""
        return self.phase != FIRST_PHASE and not self.vague

    @property
    def may_have_started(self) -> bool:
        """Whether it may have left the first phase."""
        return self.phase != FIRST_PHASE or self.vague

    def count(self, role: str, *, sure: bool) -> int:
        """How many members of a role there surely are, or may be."""
        return sum(one.role == role and (one.sure or not sure) for one in self.members.values())

    def holders(self, key: str) -> Iterator[Member]:
        """Who has, or may have, a name."""
        return (member for member in self.members.values() if member.key == key)

    def put(self, member: Member) -> None:
        """Add a member, or change it."""
        self.members[member.player_id] = member

    def drop(self, player_id: str) -> None:
        """A member goes for good."""
        self.members.pop(player_id, None)
        self.alive -= {player_id}
