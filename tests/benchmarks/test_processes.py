"""What `benchmarks/run processes` says of its rounds; nothing here is timed."""

import json
from typing import Any

from benchmarks.databases import Kept
from benchmarks.figures import Round, Side
from benchmarks.processes import (
    HOT,
    WATCHED,
    Measured,
    coming_and_going,
    per_turn,
    register,
    section,
)
from benchmarks.watchers import text_frame
from contracts import jsonio
from contracts.http import Control, RegisterRequest, RemovePlayer

SIDES = Side(1000, 4.0, 9.0, 20.0), Side(980, 4.1, 9.9, 25.0)


def measured(requests_per_s, *sides):
    latencies = {f"join {which}": ms for which, ms in (("p50", 4.0), ("p99", 9.0), ("worst", 20.0))}
    cpu = {"realtime": 100.0, "PostgreSQL": 40.0, "Redis": 0.1}
    return Measured(Round(requests_per_s, latencies, cpu, sides, 1.5), Kept(100, 5, 8))


def cells(row):
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_commits_and_transactions_are_told_by_turn():
    assert per_turn([Kept(100, 8, 11), Kept(200, 2, 2), Kept(100, 50, 60)]) == "0.08 / 0.11"


def test_rows_are_compared_with_the_first():
    _, _, alone, both = section(
        WATCHED, {"1": [measured(2000, *SIDES[:1])], "2": [measured(3000, *SIDES)]}
    ).splitlines()
    assert cells(alone)[-1] == "1.00"
    assert cells(both) == [
        "2",
        "3,000 (3,000-3,000)",
        "4.0 / 9.0 / 20.0",
        "140 = realtime 100 + PostgreSQL 40",
        "0.05 / 0.08",
        "1.50",
        "1.50",
    ]


def test_a_hot_room_is_told_from_both_sides():
    *_, alone, both = section(
        HOT, {"1": [measured(2000, *SIDES[:1])], "2": [measured(1980, *SIDES)]}
    ).splitlines()
    assert cells(alone)[-3:] == ["1.00", "", ""]
    assert cells(both)[-2:] == ["1,000/s, 4.0 / 9.0 / 20.0", "980/s, 4.1 / 9.9 / 25.0"]


def test_requests_are_those_that_the_service_takes():
    _, _, body = register("room", username="bob").split(" ", 2)
    assert jsonio.decode(body.encode(), RegisterRequest).username == "bob"
    _, _, body = coming_and_going("room", "sticky").join.split(" ", 2)
    controls: Any = Control
    assert jsonio.decode(body.encode(), controls) == RemovePlayer("p_%R")


def test_a_watchers_frame_is_masked_and_has_its_length():
    for text in ("short", "long" * 50):
        frame = text_frame({"text": text})
        assert frame[0] == 0x81
        assert frame[1] & 0x80
        size = frame[1] & 0x7F if frame[1] & 0x7F < 126 else int.from_bytes(frame[2:4], "big")
        assert json.loads(frame[-size:]) == {"text": text}
