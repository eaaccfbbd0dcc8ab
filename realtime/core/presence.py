"""Who has a connection, and to which process. Part of a room's state, so that any process may run
the room's next turn and knows as much as the last one did.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple, TypeAlias

Connected: TypeAlias = dict[str, list[str]]  # process id: ids of the players connected to it


class Sight(NamedTuple):
    """What one process can tell of presence: its own sockets, and which peers live."""

    process: str = ""
    here: frozenset[str] = frozenset()  # ids of the players who have a connection to this process
    peers: Container[str] | None = frozenset()  # the other processes that live; None: who knows

    def correct(self, known: Connected) -> Connected:
        """What the room knows, set right: this process as it is, and nothing of dead ones."""
        dead = [one for one in known if self._is_dead(one)]
        if not dead and self.here == set(known.get(self.process, ())):
            return known
        others = {one: ids for one, ids in known.items() if one not in (self.process, *dead)}
        return {**others, self.process: sorted(self.here)} if self.here else others

    def _is_dead(self, process: str) -> bool:
        return process != self.process and self.peers is not None and process not in self.peers


def with_player(known: Connected, process: str, player_id: str) -> Connected:
    """The same, and this player is connected to this process."""
    there = known.get(process, [])
    return known if player_id in there else {**known, process: [*there, player_id]}


def without_player(known: Connected, player_id: str) -> Connected:
    """The same, and this player is connected to no process."""
    left = {one: [each for each in ids if each != player_id] for one, ids in known.items()}
    return {one: ids for one, ids in left.items() if ids}


def everybody(known: Connected) -> frozenset[str]:
    """The ids of all who are connected."""
    return frozenset().union(*known.values())
