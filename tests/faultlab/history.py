"""What happened, as JSON Lines: every operation, frame, fault and observation of one run."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

UNKNOWN_CODES = {  # refusals after which a command may still have been kept
    "INTERNAL_ERROR",
    "REALTIME_UNAVAILABLE",
    "REALTIME_TIMEOUT",
    "ROOM_BUSY",
    "STORAGE_UNAVAILABLE",
}
conn_numbers = itertools.count(1)


CLOCK_READINGS = 9  # a process that is held up between two clocks reads them badly


def now() -> float:
    """The one clock of a history."""
    return time.monotonic()


class History:
    """One file, and the sums of what is in it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.outcomes: Counter[str] = Counter()
        self.rooms: set[tuple[str, str]] = set()  # party and room id of all that were named
        self._text = file.open("w", encoding="utf-8")
        self._labels: dict[tuple[str, str], str] = {}
        self._op_ids = itertools.count(1)
        self._texts = itertools.count(1)
        self.rewound_at = 0.0  # when storage was set back last
        self.ended: list[tuple[float, str, str, str]] = []  # operations: t0, op, outcome, code
        self.signals: list[float] = []  # when volatile messages were heard
        for _ in range(CLOCK_READINGS):
            self.write("clock", wall=time.time(), t=now())

    def write(self, kind: str, **fields: Any) -> None:
        if kind == "frame" and fields["type"] == "chat.signalled":
            self.signals.append(fields["t"])
        if self._text.closed:
            return  # what arrives after the end is nobody's business
        line = json.dumps({"kind": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
        self._text.write(line + "\n")

    def rewound(self, since: float) -> None:
        """Storage was set back to what it was then, or a little later."""
        self.rewound_at = now()
        self.write("rewind", t0=since, t1=self.rewound_at)

    def begin(self, op: str, **fields: Any) -> Op:
        """An operation is about to be sent."""
        if fields.get("room"):
            self.rooms.add((fields["party"], fields["room"]))
        return Op(self, {"id": next(self._op_ids), "op": op, **fields})

    def label(self, secret: str, kind: str) -> str:
        """A name for what must not be written down; the same secret has the same name."""
        names = self._labels
        return names.setdefault((kind, secret), f"{kind}-{len(names) + 1}")

    def new_text(self) -> str:
        """What nobody has said before."""
        return f"line {next(self._texts)} of {self.file.stem}"

    def end(self) -> None:
        self.write("end", t=now())
        self._text.close()


class Op:
    """One operation, until its outcome is known; then it is written."""

    def __init__(self, history: History, fields: dict[str, Any]) -> None:
        self._history = history
        self.fields = {**fields, "t0": now()}
        self.outcome = ""

    @property
    def open(self) -> bool:
        return not self.outcome

    def ok(self, reply: dict[str, Any] | None = None, **fields: Any) -> None:
        """It was acknowledged."""
        self._end("ok", reply=reply or {}, **fields)

    def refused(self, code: str, **fields: Any) -> None:
        """Some error was answered; only some of them are certain."""
        self._end("unknown" if code in UNKNOWN_CODES else "err", code=code, **fields)

    def unknown(self, *, answered: bool = True, **fields: Any) -> None:
        """Nobody can tell."""
        self._end("unknown", answered=answered, **fields)

    def _end(self, outcome: str, *, answered: bool = True, **fields: Any) -> None:
        if not self.open:
            return
        self.outcome = outcome
        self._history.outcomes[outcome] += 1
        ended = (self.fields["t0"], self.fields["op"], outcome, fields.get("code") or "")
        self._history.ended.append(ended)
        room = fields.get("room") or self.fields.get("room")
        if room:
            self._history.rooms.add((self.fields["party"], room))
        t1 = now() if answered else None
        self._history.write("op", **{**self.fields, **fields}, t1=t1, outcome=outcome)
