"""What a batch of turns leaves behind: the values a store keeps, whole or not at all."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple
from uuid import UUID

from msgspec import Meta, Struct

from contracts.http import Standing

Status = Literal["open", "in_game", "closed"]


class RoomKey(NamedTuple):
    """How the outside names a room."""

    party: str
    room_id: str


class Revision(NamedTuple):
    """One committed state of a room. Versions count; a database that was set back counts them
    again, and the tag tells the new version 9 from the lost one."""

    version: int
    tag: int  # drawn by chance for each commit; 0 in rows of before there were tags


ABSENT = Revision(0, 0)  # there is no such room


class Snapshot(Struct, frozen=True):
    """A room as committed: its revision and its encoded state. Private to the service."""

    uuid: UUID
    version: int
    state: bytes
    tag: int = 0
    at: float = 0.0  # seconds since the epoch: when the room's last turn was

    @property
    def revision(self) -> Revision:
        """Which state of the room this is."""
        return Revision(self.version, self.tag)


class RoomRow(Struct, frozen=True):
    """The columns of the room's row that mirror its state, for listings and the admin."""

    visibility: str
    status: Status
    phase: str
    max_players: int
    players: int
    spectators: int
    settings: bytes
    seq: int
    state: bytes
    alarm_at: float | None = None  # seconds since the epoch: when the next alarm is due
    alarms_parked: int = 0  # alarms given up after their handler failed again and again
    expires_at: float | None = None  # seconds since the epoch: a closed room's code is free then

    def resembles(self, other: RoomRow) -> bool:
        """Whether they differ in counts, `seq` and `state` at most, as most turns leave them."""
        return (
            self.alarm_at == other.alarm_at
            and self.settings == other.settings
            and self.phase == other.phase
            and self.status == other.status
            and self.max_players == other.max_players
            and self.visibility == other.visibility
            and self.alarms_parked == other.alarms_parked
            and self.expires_at == other.expires_at
        )


class SeatRow(Struct, frozen=True):
    """One member of the roster, as the admin reads it and the constraints guard it."""

    player_id: str
    username: str
    username_key: str
    role: str
    token_hash: str | None  # a bot has none
    is_host: bool
    seat_index: int | None
    joined_at: float  # seconds since the epoch


class JournalRow(Struct, frozen=True):
    """One kept turn. `entry` is JSON: the command, its arguments, the seed, who was connected."""

    version: int
    at: float  # seconds since the epoch
    command: str
    actor: str  # the player's id, or empty for the service itself
    entry: bytes


TIME_MAX = 253_402_300_799.0  # the end of the year 9999, which databases can hold
Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*\Z")]


class MatchRow(Struct, frozen=True):
    """A finished match. It outlives its room."""

    match_id: Word
    started_at: Annotated[float, Meta(ge=0, le=TIME_MAX)]  # seconds since the epoch
    ended_at: float
    end_reason: Word
    settings: bytes  # JSON
    standings: tuple[Standing, ...]


class Commit(Struct, frozen=True):
    """One batch of one room: kept whole if the row still has version `base` and tag `base_tag`,
    else not at all.

    `base` 0 creates the room. `journal` holds versions base+1 … base+n without a gap. The seats
    of every player in `changed` are deleted, and then `seats` inserted. `alike`: the row of version
    `base` resembles this one, so the columns that they share need not be written. `tag` becomes the
    tag of the row and of the journal's entries.
    """

    key: RoomKey
    uuid: UUID
    base: int
    row: RoomRow
    journal: tuple[JournalRow, ...]
    changed: tuple[str, ...]
    seats: tuple[SeatRow, ...]
    matches: tuple[MatchRow, ...] = ()  # that these turns finished
    alike: bool = False
    base_tag: int = 0
    tag: int = 0

    @property
    def version(self) -> int:
        """The room's version once this is kept."""
        return self.base + len(self.journal)

    @property
    def snapshot(self) -> Snapshot:
        """What a load returns once this is kept."""
        at = self.journal[-1].at
        return Snapshot(self.uuid, self.version, self.row.state, self.tag, at)
