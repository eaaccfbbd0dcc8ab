"""What every party's socket has in common: the envelope, the errors and the close codes."""

from __future__ import annotations

from enum import IntEnum

import msgspec
from msgspec import UNSET, Struct, UnsetType

from contracts.errors import ErrorInfo


class Close(IntEnum):
    """Why a socket was closed.

    After UNAUTHENTICATED, FORBIDDEN, ROOM_NOT_FOUND, REJECTED, REPLACED and REMOVED a client should
    not come back by itself.
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    BAD_UTF8 = 1007
    FLOOD = 1008
    TOO_LARGE = 1009
    BUG = 1011
    RESTART = 1012
    OVERLOAD = 1013
    UNAUTHENTICATED = 4001
    TOKEN_EXPIRED = 4002
    FORBIDDEN = 4003
    ROOM_NOT_FOUND = 4004
    NO_AUTHENTICATION = 4005
    REJECTED = 4008
    REPLACED = 4009
    REMOVED = 4010
    SLOW_CONSUMER = 4011
    SOCKET_FLOOD = 4029


class Envelope(Struct, frozen=True, rename="camel"):
    """A message from a client; its payload is read by the message's own model."""

    type: str
    request_id: str | UnsetType = UNSET
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class Frame(Struct, frozen=True, rename="camel"):
    """A message to a client. `seq` counts the room's kept broadcasts."""

    type: str
    request_id: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    payload: object = None


class ErrorFrame(Struct, frozen=True, rename="camel", kw_only=True):
    """A refusal, for one client."""

    type: str = "ERROR"
    request_id: str | UnsetType = UNSET
    payload: ErrorInfo


JOIN_ROOM = "JOIN_ROOM"


class JoinRoomMessage(Struct, frozen=True, rename="camel"):
    """JOIN_ROOM: the first frame, which opens the room for this socket."""

    player_token: str


class Empty(Struct, frozen=True):
    """A payload without fields."""
