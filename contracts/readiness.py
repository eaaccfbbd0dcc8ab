"""Whether a realtime process can serve a lobby: how it is asked, and what its answer says."""

from __future__ import annotations

from typing import Literal, TypeAlias

from contracts.answers import BrokenAnswer, KeyRefused, read
from contracts.errors import RoomError
from contracts.http import Health
from contracts.http1 import Answer
from contracts.processes import Call

State: TypeAlias = Literal[
    "ok",
    "unreachable",
    "not ready",  # it drains, or storage does not answer
    "refuses the service key",
    "takes no sockets",  # it has no place or no open file left for one more
    "answers nonsense",  # another service stands there
]
# Without a key it answers whether it is ready for anybody; with one, for who shows that key.
QUESTION = Call("GET", "/readyz", shows_key=True)


def state_of(answer: Answer) -> State:
    """What the answer to QUESTION says of the process that gave it."""
    if answer.status == 403:  # something in between that knows the key
        return "refuses the service key"
    try:
        health = read(answer, Health, "")
    except KeyRefused:
        return "refuses the service key"
    except RoomError as refusal:
        broken = isinstance(refusal, BrokenAnswer) or refusal.status != 503
        return "answers nonsense" if broken else "not ready"
    return "ok" if health.checks.get("sockets", "ok") == "ok" else "takes no sockets"
