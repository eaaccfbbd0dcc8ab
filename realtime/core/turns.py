"""The heart: one room's state, and the turns that change it.

A turn is one command run, kept whole or dropped whole. State is a value: it is encoded after
every turn, and that one encoding serves rollback, change detection, the commit and the snapshot.
Turns do no I/O. Commit what `draft` returns, then say `committed`; if the commit did not happen,
or nobody can tell, throw the Turns away and load the room again.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from contracts import jsonio
from contracts.errors import Code, RoomError
from realtime.core import projection
from realtime.core.commands import Command, Register
from realtime.core.document import Document, decoder_of, new_document
from realtime.core.effects import Effect
from realtime.core.party import Party
from realtime.core.room import Chance, Room
from realtime.core.rows import Commit, JournalRow, RoomKey, Snapshot
from realtime.core.rules import RULES, Rule, create


class Surroundings(NamedTuple):
    """What turns take from outside: a way to chance, from a seed, and the settings they obey."""

    chance: Callable[[int], Chance]
    max_spectators: int = 1000


class Turn(NamedTuple):
    """How one command ended: a reply or an error for its caller, and what to send."""

    reply: object = None
    error: RoomError | None = None
    effects: tuple[Effect, ...] = ()
    bug: Exception | None = None  # the party's own, for the log


class Entry(Struct, frozen=True):
    """A journal entry: with the row's time, enough to run the turn again on the state before it.

    `connected` stands only where it is not what the entries before imply (a connect adds one).
    """

    command: Command
    seed: int
    connected: tuple[str, ...] | UnsetType = UNSET


class Turns:
    """The turns of one room, from a committed snapshot on (None: there is no such room)."""

    def __init__(
        self,
        party: Party,
        key: RoomKey,
        snapshot: Snapshot | None,
        *,
        new_uuid: UUID,
        surroundings: Surroundings,
    ) -> None:
        self._party = party
        self._key = key
        self._surroundings = surroundings
        self._decode = decoder_of(type(party)).decode
        self._uuid = snapshot.uuid if snapshot else new_uuid
        self._base = snapshot.version if snapshot else 0
        self._encoded = snapshot.state if snapshot else b""
        self._live: Document[Any, Any] | None = None  # None: to be read from _encoded
        self._seats = projection.seats(self._document()) if snapshot else {}  # as committed
        self._journal: list[JournalRow] = []
        self._now = 0.0
        self._connected: frozenset[str] = frozenset()
        self._journalled: frozenset[str] | None = None  # the connected that the journal implies

    @property
    def version(self) -> int:
        """The committed version, 0 when there is no such room."""
        return self._base

    def begin(self, now: float, connected: AbstractSet[str]) -> None:
        """Start a batch: its turns share one reading of the clock and of presence."""
        self._now = now
        if connected != self._connected:
            self._connected = frozenset(connected)

    def run(self, command: Command, seed: int, request_id: str | UnsetType = UNSET) -> Turn:
        """Run one command. Never raises: a refusal or a bug ends this turn without a trace."""
        try:
            room = self._room(command, seed, request_id)
            reply = self._rule(command)(room, command)
            self._keep(room, command, seed)
        except RoomError as error:
            self._live = None
            return Turn(error=error)
        except Exception as bug:  # noqa: BLE001  a party may raise anything
            self._live = None
            return Turn(error=RoomError(Code.INTERNAL_ERROR), bug=bug)
        return Turn(reply, effects=tuple(room.effects))

    def draft(self) -> Commit | None:
        """What the turns since the last commit leave behind, or None when they changed nothing."""
        if not self._journal:
            return None
        document = self._document()
        changed, rows = projection.changes(self._seats, projection.seats(document))
        return Commit(
            key=self._key,
            uuid=self._uuid,
            base=self._base,
            row=projection.room_row(self._party, document, self._encoded),
            journal=tuple(self._journal),
            changed=changed,
            seats=rows,
        )

    def committed(self) -> None:
        """The draft is kept: go on from there."""
        self._base += len(self._journal)
        self._journal = []
        self._seats = projection.seats(self._document())

    def _rule(self, command: Command) -> Rule:
        return RULES[type(command)] if self._encoded else create

    def _document(self) -> Document[Any, Any]:
        if self._live is None:
            self._live = self._decode(self._encoded)
        return self._live

    def _room(self, command: Command, seed: int, request_id: str | UnsetType) -> Room:
        if self._encoded:
            document = self._document()
        elif isinstance(command, Register) and command.is_host:
            document = new_document(self._party, command)
        else:
            raise RoomError(Code.ROOM_NOT_FOUND)
        return Room(
            self._party,
            self._key,
            document,
            now=self._now,
            chance=partial(self._surroundings.chance, seed),
            connected=self._connected,
            request_id=request_id,
            max_spectators=self._surroundings.max_spectators,
        )

    def _keep(self, room: Room, command: Command, seed: int) -> None:
        encoded = jsonio.encode(room.document)
        before, self._connected = self._connected, room.connected
        if encoded == self._encoded:
            return
        self._live, self._encoded = room.document, encoded
        entry = Entry(command, seed, UNSET if before is self._journalled else tuple(before))
        self._journalled = room.connected
        self._journal.append(
            JournalRow(
                version=self._base + len(self._journal) + 1,
                at=self._now,
                command=str(command.__struct_config__.tag),
                actor=getattr(command, "player_id", ""),
                entry=jsonio.encode(entry),
            )
        )
