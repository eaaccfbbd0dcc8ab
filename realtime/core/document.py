"""A room's state as a value: what is stored, and what a turn changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from contracts import jsonio
from contracts.http import Visibility
from realtime.core.alarms import Due
from realtime.core.commands import Register
from realtime.core.presence import Connected
from realtime.core.roster import Roster

if TYPE_CHECKING:
    from realtime.core.party import Party

SettingsT = TypeVar("SettingsT")
StateT = TypeVar("StateT")


class Document(Struct, Generic[SettingsT, StateT]):
    """The whole state of a room: the party's own part, and what every room has."""

    settings: SettingsT
    state: StateT
    phase: str
    visibility: Visibility
    roster: Roster
    seq: int = 0  # of the last kept broadcast
    alarms: dict[str, Due] = {}
    expires_at: float | None = None  # seconds since the epoch; set when the room is closed
    connected: Connected = {}


_DECODERS: dict[type[Party], msgspec.json.Decoder[Document[Any, Any]]] = {}


def decoder_of(party: type[Party]) -> msgspec.json.Decoder[Document[Any, Any]]:
    """Reads the documents of one party's rooms; made once per party."""
    if party not in _DECODERS:
        model = Document[party.Settings, party.State]  # type: ignore[name-defined]
        _DECODERS[party] = msgspec.json.Decoder(model)
    return _DECODERS[party]


def new_document(party: Party, ask: Register) -> Document[Any, Any]:
    """The state of a room that `ask` creates. Raises BAD_REQUEST for bad settings."""
    return Document(
        settings=jsonio.decode_checked(ask.settings, party.Settings, path="settings"),
        state=party.State(),
        phase=party.first_phase,
        visibility=ask.visibility,
        roster=Roster(),
    )
