"""I6 and I7: the journal has no gap, and journal, row and service agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.faultlab.checker.case import Case
from tests.faultlab.checker.stored import Row, Served

COLUMNS = {"player": "players", "spectator": "spectators"}


def journal_is_whole(case: Case) -> Iterator[str]:
    """I6."""
    versions = [entry.version for entry in case.room.journal]
    expected = list(range(1, len(versions) + 1))
    if versions != expected:
        odd = next(pair for pair in zip(versions, expected, strict=True) if pair[0] != pair[1])
        yield f"the journal has version {odd[0]} where {odd[1]} belongs"


def storage_agrees(case: Case) -> Iterator[str]:
    """I7: the row is what the last entry left, and says of itself what its state says."""
    last = case.visibility.last
    final = case.room.final
    if last and final is None:
        yield f"the journal ends with version {last}, and there is no final row"
    if final and final.version != last:
        yield f"the journal ends with version {last}, the row has {final.version}"
    for row in case.room.rows:
        yield from (f"the row of version {row.version}: {what}" for what in _row(case, row))


def services_agree(case: Case) -> Iterator[str]:
    """I7: what every process serves is what the final row holds."""
    final = case.room.final
    if final is None:
        return
    for served in case.room.served:
        yield from (f"{served.process} serves {what}" for what in _served(served, final))


def _row(case: Case, row: Row) -> Iterator[str]:
    for name, column, inner in (
        ("seq", row.seq, row.state.get("seq")),
        ("phase", row.phase, row.state.get("phase")),
        ("players", row.players, _count(row, "player")),
        ("spectators", row.spectators, _count(row, "spectator")),
        ("closed", row.status == "closed", row.state.get("expires_at") is not None),
    ):
        if column != inner:
            yield f"its {name} is {column!r}, its state's {inner!r}"
    state = case.replay.states.get(row.version)
    if state is None:
        return
    if not state.vague and row.phase != state.phase:
        yield f"its phase is {row.phase}, and the journal leads to {state.phase}"
    known = {member.username for member in state.members.values()}
    for player in row.state["roster"]["players"].values():
        if player["username"] not in known:
            yield f"nobody ever admitted {player['player_id']}, or it was released"


def _count(row: Row, role: str) -> int:
    return sum(one["role"] == role for one in row.state["roster"]["players"].values())


def _served(served: Served, final: Row) -> Iterator[str]:
    closed = final.status == "closed"
    if closed or served.status != 200 or served.state is None:
        if closed != (served.status == 404):
            yield f"status {served.status}, and the row is {final.status}"
        return
    counts: dict[str, Any] = served.state.get("playerCounts", {})
    for role, column in (*COLUMNS.items(), ("bot", "bots")):
        if column in counts and counts[column] != _count(final, role):
            yield f"{counts[column]} {column}, and the row has {_count(final, role)}"
    for name in ("phase", "settings"):
        if name in served.state and served.state[name] != final.state[name]:
            yield f"another {name} than the row: {served.state[name]!r}"
