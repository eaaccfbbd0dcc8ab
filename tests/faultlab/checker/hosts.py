"""I8: at most one host, and one whenever somebody who may be host is there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from tests.faultlab.checker.case import Case
from tests.faultlab.checker.stored import Row
from tests.faultlab.checker.subjects import Socket


def one_host(case: Case) -> Iterator[str]:
    """At most one in the rows, the seats and each view; and a player of the room."""
    for row in case.room.rows:
        roster = row.state["roster"]
        host = roster["players"].get(roster["host"], {})
        if roster["host"] and (host.get("role") != "player" or host.get("retired")):
            yield f"the host of version {row.version}, {roster['host']}, is no player of the room"
    hosts = [seat.player_id for seat in case.room.seats if seat.is_host]
    final = case.room.final
    expected = [final.state["roster"]["host"]] if final and final.state["roster"]["host"] else []
    if len(hosts) > 1 or (final and case.room.seats and hosts != expected):
        yield f"the seats say that {hosts} are hosts, the row says {expected}"
    for view in case.views:
        yield from _view(view)


def _view(view: dict[str, Any]) -> Iterator[str]:
    hosts = [one["playerId"] for one in view["players"] if one.get("isHost")]
    if len(hosts) > 1:
        yield f"a view has the hosts {hosts}"
    me = view.get("me") or {}
    if "isHost" in me and me["isHost"] != (me["playerId"] in hosts):
        yield f"a view tells {me['playerId']} another host than the list: {hosts}"


def somebody_is_host(case: Case) -> Iterator[str]:
    """While a player is connected, no absence of the host outlasts the grace."""
    grace_s = case.history.run.host_grace_s
    rows = sorted(case.room.rows, key=lambda row: row.t0)
    for absent, group in groupby(rows, key=lambda row: not _host_is_there(case, row)):
        stretch = list(group)
        t1 = stretch[-1].t0
        t0 = case.history.calm_from(stretch[0].t1, t1)
        if not absent or t1 - t0 <= grace_s:
            continue
        hosts = {row.state["roster"]["host"] for row in stretch}
        waiting = [one for one in case.sockets if _could_be_host(one, stretch, t0, t1)]
        back = [one for one in case.sockets if _of(one, hosts) and _overlaps(one, t0, t1)]
        if waiting and not back and stretch[-1].status != "closed":
            yield f"no connected host for {t1 - t0:.1f} s, from version {stretch[0].version} on"


def _host_is_there(case: Case, row: Row) -> bool:
    host = row.state["roster"]["host"]
    return any(_of(one, {host}) and _overlaps(one, row.t0, row.t1) for one in case.sockets)


def _could_be_host(socket: Socket, stretch: list[Row], t0: float, t1: float) -> bool:
    if socket.entered is None or socket.entered.t > t0 or socket.ends_at < t1:
        return False
    known = [row.state["roster"]["players"].get(socket.entered.player, {}) for row in stretch]
    return all(one.get("role") == "player" and not one.get("retired") for one in known)


def _of(socket: Socket, players: set[str | None]) -> bool:
    return socket.entered is not None and socket.entered.player in players


def _overlaps(socket: Socket, t0: float, t1: float) -> bool:
    asked = socket.opened.t
    return asked <= t1 and socket.ends_at >= t0
