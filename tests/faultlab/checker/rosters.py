"""I2, I3, I4: the cap, the names, and no player admitted after the start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.faultlab.checker.case import Case, repeated
from tests.faultlab.checker.names import name_key
from tests.faultlab.checker.state import FIRST_PHASE


def never_above_the_cap(case: Case) -> Iterator[str]:
    """I2, at every version, in every row and in every view."""
    for version, state in case.replay.states.items():
        if (players := state.count("player", sure=True)) > state.cap:
            yield f"version {version} has {players} players, and the cap is {state.cap}"
    for row in case.room.rows:
        players = len(_players(row.state["roster"]["players"].values()))
        if max(players, row.players) > row.max_players:
            yield f"the row of version {row.version} has {players} players of {row.max_players}"
    for view in case.views:
        match: Any = view.get("match") or {}
        cap = match.get("settings", {}).get("playerCap")
        if cap is not None and len(_players(view["players"])) > cap:
            yield f"a view has {len(_players(view['players']))} players, and the cap is {cap}"


def names_are_unique(case: Case) -> Iterator[str]:
    """I3, over all roles, whenever somebody was admitted."""
    for admission in case.replay.admissions:
        state = case.replay.at(admission.version)
        holders = state.holders(name_key(admission.username)) if state else ()
        for other in holders:
            if other.player_id != admission.player_id and other.sure:
                yield f"version {admission.version}: {admission.username!r} is {other.username!r}"


def no_name_is_shown_twice(case: Case) -> Iterator[str]:
    """I3, in every row, every view and the seats."""
    for row in case.room.rows:
        for key in _same(row.state["roster"]["players"].values()):
            yield f"the row of version {row.version} has two of {key!r}"
    for view in case.views:
        for key in _same(view["players"]):
            yield f"a view has two of {key!r}"
    for key in _same([{"username": seat.username} for seat in case.room.seats]):
        yield f"two seats have the name {key!r}"


def nobody_comes_late(case: Case) -> Iterator[str]:
    """I4."""
    for admission in case.replay.admissions:
        before = case.replay.at(admission.version - 1)
        if admission.role == "player" and before and before.started:
            what = f"{admission.player_id} was admitted in phase {before.phase}"
            yield f"version {admission.version}: {what}"
    for row in case.room.rows:
        match = row.state.get("state", {}).get("match")
        if not match or row.state["phase"] == FIRST_PHASE:
            continue
        for player in _players(row.state["roster"]["players"].values()):
            if player["joined_at"] > match["started_at"]:
                yield f"the row of version {row.version} has the late {player['player_id']}"


def _players(members: Any) -> list[Any]:
    return [member for member in members if member["role"] == "player"]


def _same(members: Any) -> list[str]:
    return repeated(name_key(member["username"]) for member in members)
