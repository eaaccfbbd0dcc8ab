"""Moments as clients read them. The clock itself is the engine's."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(seconds: float) -> str:
    """`seconds` since the epoch as ISO 8601 in UTC, to the millisecond, with a Z."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
