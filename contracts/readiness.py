"""The question whether a realtime process can serve a lobby, and the meaning of its answer."""

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
    "answers nonsense",  # another service answers at its address
]
# Without a key the process answers whether it is ready; with one, whether it is ready for that key.
QUESTION = Call("GET", "/readyz", shows_key=True)


def state_of(answer: Answer) -> State:
    """Read the answer to QUESTION."""
    if answer.status == 403:  # a proxy in between checks the key
        return "refuses the service key"
    try:
        health = read(answer, Health, "")
    except KeyRefused:
        return "refuses the service key"
    except RoomError as refusal:
        broken = isinstance(refusal, BrokenAnswer) or refusal.status != 503
        return "answers nonsense" if broken else "not ready"
    return "ok" if health.checks.get("sockets", "ok") == "ok" else "takes no sockets"
