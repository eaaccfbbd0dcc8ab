"""What an answer of the realtime service says: a reply, its own refusal, or nothing of its own."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from contracts import jsonio
from contracts.errors import CATALOGUE, Code, ErrorBody, ErrorInfo, RoomError
from contracts.http import MatchReport, RegisterReply, RoomMatches, RoomState
from contracts.http1 import Answer

Told = TypeVar("Told", bound=msgspec.Struct)
# In a list, settings lie deeper than `jsonio.check` allows. It saw them when the rooms took them.
_CHECKED = (RegisterReply, RoomState)


class BrokenAnswer(RoomError):
    """The answer is none of the service's own; `reason` is for our log and never for the caller."""

    def __init__(self, reason: str, *, repeatable: bool = True) -> None:
        super().__init__(Code.INTERNAL_ERROR, status=502)
        self.reason = reason
        self.repeatable = repeatable

    def __str__(self) -> str:
        return self.reason


class KeyRefused(BrokenAnswer):
    """The service does not know our key. Asking the same process again does not help."""

    def __init__(self) -> None:
        reason = "it refused our service key; is GREENROOM_SERVICE_KEY the same on both sides?"
        super().__init__(reason, repeatable=False)


def read(answer: Answer, model: type[Told], about: str) -> Told:
    """The answer as `model`, when it is a success about the right room or match; `about` is empty
    for what has no id. Raises RoomError."""
    if answer.status != 200:
        raise _refusal(answer)
    decode = jsonio.decode if issubclass(model, _CHECKED) else jsonio.decode_checked
    try:
        told = decode(answer.body, model)
    except RoomError as error:
        raise BrokenAnswer(f"status 200, {error.message}") from None
    if not _is_about(told, about):
        raise BrokenAnswer("status 200, but of another room or match, or without settings")
    return told


def _is_about(told: msgspec.Struct, about: str) -> bool:
    match told:
        case RegisterReply() | RoomState():
            return told.room_id == about and bytes(told.settings).startswith(b"{")
        case RoomMatches():
            return told.room_id == about
        case MatchReport():
            return told.match.match_id == about
        case _:
            return not about


def _refusal(answer: Answer) -> RoomError:
    status, error = answer.status, _error_of(answer.body)
    if status == 401 or (error and error.code is Code.UNAUTHORIZED):
        return KeyRefused()
    if error and status == CATALOGUE[error.code].status != 500:
        wait_s = _retry_after_s(answer)
        return RoomError(error.code, error.message, details=error.details, retry_after_s=wait_s)
    if status == 503:  # a proxy's word for a service that it cannot reach
        return RoomError(Code.REALTIME_UNAVAILABLE)
    return BrokenAnswer(f"status {status}")


def _error_of(body: bytes) -> ErrorInfo | None:
    try:
        return jsonio.decode(body, ErrorBody).error
    except RoomError:
        return None


def _retry_after_s(answer: Answer) -> float | None:
    text = answer.headers.get(b"retry-after", b"")
    return float(text) if text.isdigit() and len(text) < 6 else None
