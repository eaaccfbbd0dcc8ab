"""I12: seq only grows, a gap is healed by a view, and one seq is one frame for everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.faultlab.checker.case import Case
from tests.faultlab.checker.records import Frame
from tests.faultlab.checker.subjects import Socket

VIEW_IS_NEAR_S = 1.0  # a view this shortly before a frame is first seen elsewhere may hold it


def seq_grows(case: Case) -> Iterator[str]:
    """Strictly, on each connection."""
    for socket in case.sockets:
        last = 0
        for seq, frame in socket.kept:
            if seq <= last:
                yield f"{frame.conn} received seq {seq} after {last}"
            last = max(last, seq)


def gaps_are_healed(case: Case) -> Iterator[str]:
    """By a view that came between, or soon after."""
    for socket in case.sockets:
        end = min(socket.ends_at, case.history.ends_at)
        views = [view.t for view in socket.views]
        for frame, missed in _gaps(socket):
            until = _patience(case, frame.t)
            if until < end and not any(frame.t <= t <= until for t in views):
                yield f"{frame.conn} missed {missed.start} to {missed.stop - 1}, and got no view"


def _patience(case: Case, t: float) -> float:
    """Until when a gap at `t` may stay: what broke the relay has to be whole again, too."""
    run, until = case.history.run, t
    if run.sees_every_seq:
        return until
    longer = t + run.view_grace_s
    while longer > until:
        until, longer = longer, max(longer, case.history.calm_from(t, longer))
    return until


def _gaps(socket: Socket) -> Iterator[tuple[Frame, range]]:
    """The frames that follow a gap in which no view came, each with what was missed."""
    expected, viewed = None, False
    for frame in socket.frames:
        viewed = viewed or frame.type == "ROOM_SNAPSHOT"
        if frame.seq is None:
            continue
        if expected is not None and frame.seq > expected and not viewed:
            yield frame, range(expected, frame.seq)
        expected, viewed = frame.seq + 1, False


def everybody_sees_the_same(case: Case) -> Iterator[str]:
    """One seq of a room is one frame, a view's own part apart."""
    first: dict[int, tuple[str, Frame]] = {}
    for socket in case.sockets:
        for seq, frame in socket.kept:
            if case.history.unsure(socket, frame):
                continue  # the same seq has come again
            shown = _shown(frame)
            known, other = first.setdefault(seq, (shown, frame))
            if shown != known:
                what = f"{other.type} on {other.conn} and {frame.type} on {frame.conn}"
                yield f"seq {seq} is {what}, and they differ"


def nobody_misses_the_end(case: Case) -> Iterator[str]:
    """In a run without faults, who stays sees the last broadcast too, or a view after it."""
    kept = [(seq, -frame.t) for socket in case.sockets for seq, frame in socket.kept]
    if not kept or not case.history.run.sees_every_seq:
        return
    newest, minus_t = max(kept)
    for socket in case.sockets:
        stays = socket.entered and socket.ends_at > case.history.ends_at
        viewed = any(view.t >= -minus_t - VIEW_IS_NEAR_S for view in socket.views)
        if stays and not viewed and all(seq < newest for seq, _ in socket.kept):
            yield f"{socket.opened.conn} never saw seq {newest}"


def _shown(frame: Frame) -> str:
    payload = frame.payload
    if frame.type == "ROOM_SNAPSHOT":
        payload = {name: value for name, value in payload.items() if name != "me"}
    return json.dumps([frame.type, payload], sort_keys=True)
