"""A run that is made up: its records and its clock."""

from __future__ import annotations

import json
import random
from typing import Any, TypeAlias

WALL = 1_700_000_000.0  # the epoch's seconds when the run's clock shows 0

Fields: TypeAlias = dict[str, Any]


class ExampleRun:
    """Collects the records of one run, and says what time it is."""

    def __init__(self, seed: int = 0, **options: object) -> None:
        self.records: list[Fields] = []
        self.chance = random.Random(seed)
        self.now = 10.0
        self.add("run", **options)
        self.add("clock", wall=WALL, t=0.0)

    def add(self, kind: str, **fields: object) -> Fields:
        """One more record."""
        record = {"kind": kind, **fields}
        self.records.append(record)
        return record

    def step(self) -> None:
        """Some time passes; operations last longer than that, so they overlap."""
        self.now = round(self.now + self.chance.uniform(0.02, 0.1), 4)

    def some(self) -> float:
        """A part of a second."""
        return round(self.chance.uniform(0.01, 0.4), 4)

    def text(self) -> str:
        """The run as lines, ended."""
        end = {"kind": "end", "t": self.now + 60}
        return "\n".join(json.dumps(record) for record in [*self.records, end])
