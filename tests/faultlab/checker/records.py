"""The records of a history, one struct a kind. HISTORY.md says what each field means."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field


class Record(Struct, tag_field="kind", tag=str.lower, rename="camel", kw_only=True):
    """A line of a history; `kind` is the lower-cased name of its class."""


class Run(Record):
    """What the runner promises and what the servers were told."""

    host_grace_s: float = field(default=20.0, name="host_grace_s")
    view_grace_s: float = field(default=15.0, name="view_grace_s")
    fault_grace_s: float = field(default=15.0, name="fault_grace_s")
    alarm_grace_s: float = field(default=5.0, name="alarm_grace_s")
    sees_every_seq: bool = field(default=False, name="sees_every_seq")
    max_spectators: int = field(default=1000, name="max_spectators")


class Clock(Record):
    """Two clocks, read together."""

    wall: float
    t: float


class End(Record):
    """Nothing is missing."""

    t: float


class Op(Record):
    """Something a client asked for, and what it was told."""

    id: int
    op: str
    party: str
    t0: float
    outcome: Literal["ok", "err", "unknown"]
    client: str = ""
    process: str | None = None
    player: str | None = None
    room: str | None = None
    args: dict[str, Any] = {}
    t1: float | None = None
    code: str | None = None
    status: int | None = None
    reply: dict[str, Any] | None = None

    @property
    def may_have_happened(self) -> bool:
        """Whether this was not refused for certain."""
        return self.outcome != "err"

    @property
    def player_id(self) -> str | None:
        """Whom a create or a join admits, as far as the runner knows."""
        found = (self.reply or {}).get("playerId") or self.args.get("playerId")
        return str(found) if found else None


class Open(Record):
    """A socket's handshake is done."""

    conn: str | int
    party: str
    room: str
    t: float
    client: str = ""
    process: str | None = None


class Entered(Record):
    """A socket was shown its room."""

    conn: str | int
    player: str
    t: float
    asked: float | None = None


class Closed(Record):
    """A socket is no more."""

    conn: str | int
    t: float
    code: int | None = None


class Frame(Record):
    """A message that a socket received."""

    conn: str | int
    t: float
    type: str
    seq: int | None = None
    payload: Any = None


class Token(Record):
    """An answer named a player's token."""

    label: str
    room: str
    player: str
    t: float = 0.0


class Try(Record):
    """Somebody showed a token to a room."""

    label: str
    party: str
    room: str
    t0: float
    outcome: Literal["opened", "refused", "unknown"]
    t1: float | None = None
    player: str | None = None


class Fault(Record):
    """What was done to the servers."""

    name: str
    t0: float
    t1: float | None = None
    explains: list[str] = []


class Rewind(Record):
    """Storage was set back at `t1` to what it was at `t0`, or a little later."""

    t0: float
    t1: float


class Log(Record):
    """A line that a server logged."""

    line: str
    process: str | None = None
    t: float = 0.0


class Text(Record):
    """A page or another text, kept to be searched for secrets."""

    body: str
    what: str = ""
    process: str | None = None


class Baseline(Record):
    """How many of something a process held before anybody came, and after everybody left."""

    process: str
    what: str
    before: int
    after: int
    slack: int = 0
