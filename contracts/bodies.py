"""Request bodies as an ASGI server hands them over: bounded in size and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from contracts.errors import Code, RoomError

BODY_WITHIN_S = 10.0

Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]


class CallerGone(Exception):
    """The caller went away before it had said everything: there is nobody to answer."""


async def read_body(receive: Receive, limit_bytes: int) -> bytes:
    """The body, or as much of it as shows that it exceeds the limit.

    Raises CallerGone, and BAD_REQUEST when it takes longer than BODY_WITHIN_S.
    """
    body, more = bytearray(), True  # bytes would be copied for each event
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while more and len(body) <= limit_bytes:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise CallerGone
                body += event.get("body", b"")
                more = event.get("more_body", False)
    except TimeoutError:
        raise late() from None
    return bytes(body)


def late() -> RoomError:
    """The refusal of a request whose body takes too long."""
    return RoomError(Code.BAD_REQUEST, "The body did not come in time")
