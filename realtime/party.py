"""Everything that a party is written with; docs/writing-a-party.md explains it.

from realtime.party import Party, Player, Room, message
"""

from contracts.errors import Code, RoomError, bad_request
from contracts.http import Standing
from contracts.sockets import Close
from realtime.core.instants import iso
from realtime.core.messages import message
from realtime.core.party import Party
from realtime.core.relay import Relay
from realtime.core.room import Room
from realtime.core.roster import Player

__all__ = [
    "Close",
    "Code",
    "Party",
    "Player",
    "Relay",
    "Room",
    "RoomError",
    "Standing",
    "bad_request",
    "iso",
    "message",
]
