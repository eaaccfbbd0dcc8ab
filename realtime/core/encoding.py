"""How the states of one room become bytes, and come back."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts import jsonio
from realtime.core import projection
from realtime.core.document import Document, decoder_of
from realtime.core.party import Party
from realtime.core.projection import Seats
from realtime.core.roster import Roster


class UnreadableState(Exception):
    """A stored state is of another form than its party's; the message says where, not what."""

    def __init__(self, problem: Exception) -> None:
        _, _, place = str(problem).rpartition(" - at ")
        named = place if isinstance(problem, msgspec.ValidationError) else ""
        super().__init__(f"{type(problem).__name__} {named}".strip())


class Codec:
    """Encodes and decodes the states of one room.

    The roster is most of a large room's bytes, and few turns change it. So it is encoded again only
    when it is another one, which is quickly seen: players and credentials are frozen.
    """

    def __init__(self, party: type[Party]) -> None:
        self._decode = decoder_of(party).decode
        self._removed: list[str] = []
        self._roster: msgspec.Raw | None = None  # as encoded, once it was seen twice
        self.seats = Seats()  # the members of the state encoded or decoded last

    def encode(self, document: Document[Any, Any]) -> bytes:
        """The whole state as JSON."""
        if not self._seen(document.roster):
            return jsonio.encode(document)
        if self._roster is None:
            self._roster = jsonio.raw(document.roster)
        return jsonio.encode(msgspec.structs.replace(document, roster=self._roster))

    def decode(self, encoded: bytes) -> Document[Any, Any]:
        """A state from its bytes. Raises UnreadableState."""
        try:
            document = self._decode(encoded)
        except Exception as problem:
            raise UnreadableState(problem) from problem
        if self._seen(document.roster):  # the same objects are compared sooner than equal ones
            document.roster.players = {**self.seats.players}
            document.roster.credentials = {**self.seats.credentials}
        return document

    def is_sound(self, document: Document[Any, Any], encoded: bytes) -> bool:
        """Whether `encoded` is the state, and reads back as the same."""
        return jsonio.encode(document) == encoded == jsonio.encode(self._decode(encoded))

    def _seen(self, roster: Roster) -> bool:
        """Whether this is the roster seen last. Afterwards it is."""
        if self.seats.same(roster) and self._removed == roster.removed:
            return True
        self.seats, self._removed = projection.seats(roster), [*roster.removed]
        self._roster = None
        return False
