"""Who went away, from the moment their last socket closed until a turn has noted it."""

from __future__ import annotations

from realtime.core.commands import Connect, Presence
from realtime.engine.posts import Post


class Departures:
    """Players who have no connection here any more. Several who go at once become one turn."""

    def __init__(self) -> None:
        self.untold = False  # the room does not know all of it yet
        self._left: set[str] = set()  # those who closed the last socket themselves

    def add(self, player_id: str, *, by_client: bool) -> None:
        """One more."""
        self.untold = True
        if by_client:
            self._left.add(player_id)

    def post(self) -> Post:
        """What tells the room of all so far."""
        self.untold = False
        return Post(Presence(tuple(sorted(self._left))))

    def settled(self, batch: list[Post], *, noted: bool, unknown: bool = False) -> None:
        """A batch has ended; what it told of them is noted, or to be told again. `unknown`: some of
        it may have been kept, and nobody was let in by it."""
        for post in batch:
            if isinstance(post.command, Presence):
                self._left -= {*(post.command.left if noted else ())}
                self.untold |= not noted
            elif isinstance(post.command, Connect):
                self.untold |= unknown
