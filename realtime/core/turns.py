"""The heart: one room's state, and the turns that change it.

A turn is one command run, kept whole or dropped whole. State is a value: it is encoded after
every turn, and that one encoding serves rollback, change detection, the commit and the snapshot.
Turns do no I/O. Commit what `draft` returns, then say `committed`; if the commit did not happen,
or nobody can tell, throw the Turns away and load the room again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from contracts import jsonio
from contracts.errors import Code, RoomError
from realtime.core import alarms, attendance, projection
from realtime.core.commands import Alarm, Command, Inspect, Receive, Register, SetBack
from realtime.core.document import Document, new_document
from realtime.core.effects import Effect
from realtime.core.encoding import Codec, UnreadableState
from realtime.core.party import Party
from realtime.core.presence import Connected
from realtime.core.room import Room
from realtime.core.rows import (
    ABSENT,
    Commit,
    JournalRow,
    MatchRow,
    Revision,
    RoomKey,
    RoomRow,
    Snapshot,
)
from realtime.core.rules import RULES, Rule, create
from realtime.core.surroundings import Surroundings


class Turn(NamedTuple):
    """How one command ended: a reply or an error for its caller, and what to send."""

    reply: object = None
    error: RoomError | None = None
    effects: tuple[Effect, ...] = ()
    bug: Exception | None = None  # the party's own, for the log


class Rung(NamedTuple):
    """A turn that an alarm caused."""

    command: Command
    turn: Turn


class Entry(Struct, frozen=True):
    """A journal entry: with the row's time, enough to run the turn again on the state before it.

    `connected` stands only where it is not what the state before says.
    """

    command: Command
    seed: int
    connected: Connected | UnsetType = UNSET


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
        """Raises UnreadableState."""
        self.unreadable = False  # the last state was kept, and can't be read back
        self._party = party
        self._key = key
        self._surroundings = surroundings
        self._codec = Codec(type(party))
        self._uuid = snapshot.uuid if snapshot else new_uuid
        self._base = snapshot.revision if snapshot else ABSENT
        self._encoded = snapshot.state if snapshot else b""
        self._live: Document[Any, Any] | None = None  # None: to be read from _encoded
        document = self._document() if snapshot else None
        self._seats = self._drafted = self._codec.seats  # as committed, and as in _encoded
        self._outlook = alarms.outlook(document.alarms if document else {})
        self._closed = document is not None and document.expires_at is not None
        self._row: RoomRow | None = None  # of the last draft, which was kept; None: there was none
        self._journal: list[JournalRow] = []
        self._tag = 0  # of the last draft
        self._matches: list[MatchRow] = []
        self._now = 0.0
        self._at = snapshot.at if snapshot else 0.0
        self._stored = self._connected = document.connected if document else {}
        self._processes: set[str] = set()

    @property
    def version(self) -> int:
        """The committed version, 0 when there is no such room."""
        return self._base.version

    @property
    def revision(self) -> Revision:
        """The committed revision, ABSENT when there is no such room."""
        return self._base

    @property
    def open(self) -> bool:
        """Whether there is such a room, and it is not over."""
        return self._base.version > 0 and not self._closed

    @property
    def next_alarm(self) -> float | None:
        """When the next alarm is due, in seconds since the epoch."""
        return self._outlook.next_at

    @property
    def uuid(self) -> UUID:
        """Tells the room from others that have, or had, its id."""
        return self._uuid

    @property
    def at(self) -> float:
        """When the last committed turn was, in seconds since the epoch."""
        return self._at

    @property
    def processes(self) -> frozenset[str]:
        """The ids of those that had the room's sockets at some moment since the batch began."""
        return frozenset(self._processes)

    def begin(self, now: float, correct: Callable[[Connected], Connected]) -> None:
        """Start a batch: its turns share one reading of the clock, and one of presence."""
        self._now = round(now, 6)  # what the journal can hold
        self._connected = correct(self._stored)
        self._processes = {*self._connected}

    def run(self, command: Command, seed: int, request_id: str | UnsetType = UNSET) -> Turn:
        """Run one command. Never raises: a refusal or a bug ends this turn without a trace."""
        try:
            room = self._room(command, seed, request_id)
            rule = self._rule(command)
            if isinstance(command, Inspect):  # a look, which changes nothing
                return Turn(rule(room, command))
            room.document.connected = self._connected
            reply = rule(room, command)
            attendance.reconcile(room)
            self._keep(room, command, seed)
        except RoomError as error:
            self._live = None
            return Turn(error=error)
        except UnreadableState:
            self.unreadable = True
            return Turn(error=RoomError(Code.ROOM_UNREADABLE))
        except Exception as bug:  # noqa: BLE001  a party may raise anything
            self._live = None
            return Turn(error=RoomError(Code.INTERNAL_ERROR), bug=bug)
        return Turn(reply, effects=tuple(room.effects))

    def ring(
        self, seed: Callable[[], int], most: int | None = None, failure: Exception | None = None
    ) -> list[Rung]:
        """Run each alarm that is due, or `most` of them, as a turn of its own; the earliest first.

        One that fails leaves no trace but this: it is tried again later, or parked. With `failure`,
        which is what became of them before, they all are.
        """
        if self.next_alarm is None or self.next_alarm > self._now or not self._check_legible():
            return []
        rung: list[Rung] = []
        for name in alarms.names_due(self._document().alarms, self._now)[:most]:
            if not self._check_legible():
                break
            if name not in self._document().alarms:  # the one before it has cancelled it
                continue
            alarm = Alarm(name)
            turn = Turn(bug=failure) if failure else self.run(alarm, seed())
            problem = turn.bug or turn.error
            rung.append(Rung(alarm, turn._replace(bug=problem)))  # nobody waits for a refusal
            if problem:
                rung.append(Rung(SetBack(name), self.run(SetBack(name), seed())))
        return rung

    def draft(self, tag: int = 0) -> Commit | None:
        """What the turns since the last commit leave behind, or None when they changed nothing.

        `tag` tells this commit from every other one; 0 where nothing is ever set back.
        """
        if not self._journal:
            return None
        self._tag = tag
        document = self._document()
        changed, rows = projection.changes(self._seats, self._drafted)
        before = self._row
        self._row = row = projection.room_row(self._party, document, self._encoded, self._outlook)
        return Commit(
            key=self._key,
            uuid=self._uuid,
            base=self._base.version,
            row=row,
            journal=tuple(self._journal),
            changed=changed,
            seats=rows,
            matches=tuple(self._matches),
            alike=before is not None and row.resembles(before),
            base_tag=self._base.tag,
            tag=tag,
        )

    def committed(self) -> None:
        """What `draft` returned last is kept: go on from there."""
        self._base = Revision(self._base.version + len(self._journal), self._tag)
        self._at = self._journal[-1].at
        self._journal = []
        self._matches = []
        self._seats = self._drafted

    def _rule(self, command: Command) -> Rule:
        return RULES[type(command)] if self._encoded else create

    def _check_legible(self) -> bool:
        """Read the last state kept. Return False, and be unreadable, if that fails."""
        try:
            self._document()
        except UnreadableState:
            self.unreadable = True
        return not self.unreadable

    def _document(self) -> Document[Any, Any]:
        if self._live is None:
            self._live = self._codec.decode(self._encoded)
        return self._live

    def _room(self, command: Command, seed: int, request_id: str | UnsetType) -> Room:
        if self._encoded:
            document = self._document()
        elif isinstance(command, Register) and command.is_host:
            document = new_document(self._party, command)
        else:
            raise RoomError(Code.ROOM_NOT_FOUND)
        check_open(document.expires_at, command)
        return Room(
            self._party,
            self._key,
            document,
            now=self._now,
            seed=seed,
            request_id=request_id,
            surroundings=self._surroundings,
        )

    def _keep(self, room: Room, command: Command, seed: int) -> None:
        encoded = self._codec.encode(room.document)
        if encoded == self._encoded and not room.matches:
            self._connected = room.document.connected
            return
        if self._surroundings.verify and not self._codec.is_sound(room.document, encoded):
            raise TypeError("The state is another one when it is read back")
        before, self._connected = self._connected, room.document.connected
        self._live, self._encoded = room.document, encoded
        self._drafted = self._codec.seats
        self._outlook, self._closed = alarms.outlook(room.alarms), room.closed
        self._matches += room.matches
        entry = Entry(command, seed, UNSET if before == self._stored else before)
        self._stored = self._connected
        self._processes.update(self._connected)
        self._journal.append(
            JournalRow(
                version=self._base.version + len(self._journal) + 1,
                at=self._now,
                command=str(command.__struct_config__.tag),
                actor=command.player_id if isinstance(command, Register | Receive) else "",
                entry=jsonio.encode(entry),
            )
        )


def check_open(expires_at: float | None, command: Command) -> None:
    """A closed room keeps its code for a while, and is not found."""
    if expires_at is not None:
        hosting = isinstance(command, Register) and command.is_host
        raise RoomError(Code.ROOM_ALREADY_EXISTS if hosting else Code.ROOM_NOT_FOUND)
