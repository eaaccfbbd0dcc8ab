"""How members talk to rooms: where they sit, how they enter, and what they say."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

MESSAGE_BYTES = 120
CALLERS = 8  # who fill rooms at the same time
ANSWER_WITHIN_S = 30
NUMBER_BYTES, MARK_BYTES = 8, 18  # what client/wsload.c makes of %S and of %T


class Seat(NamedTuple):
    """A place in a room, as client/wsload.c is told of it."""

    room: int
    url: str
    key: str = ""


class Wire(NamedTuple):
    """What members of a service's rooms send, in the words of client/wsload.c."""

    seats: Callable[[int, int, int], Iterable[Seat]]  # by port, number of rooms, and members each
    message: str
    steps: tuple[str, ...] = ()
    binary: bool = False


def marked_json() -> str:
    """A JSON object of MESSAGE_BYTES bytes: padding, a number, and the time."""
    head, tail = '{"text":"', '","number":"%S","at":"%T"}'
    return head + "x" * (MESSAGE_BYTES - sent_bytes(head + tail)) + tail


def marked_text() -> str:
    """As many characters of text."""
    words = "%T %S "
    return words + "x" * (MESSAGE_BYTES - sent_bytes(words))


def sent_bytes(message: str) -> int:
    """How long it is when it is sent."""
    filled = message.replace("%S", "0" * NUMBER_BYTES).replace("%T", "0" * MARK_BYTES)
    return len(filled)


def seats_at(path: str, port: int, rooms: int, members: int) -> Iterable[Seat]:
    """For a server that has a room wherever somebody comes: `%d` in the path is its number."""
    for room in range(rooms):
        for _ in range(members):
            yield Seat(room, f"ws://127.0.0.1:{port}{path.replace('%d', f'{room:04}')}")


Fill = Callable[[http.client.HTTPConnection, int, int], list[Seat]]


def seats_by(fill: Fill, port: int, rooms: int, members: int) -> Iterable[Seat]:
    """For a server that is asked for each place over HTTP: `fill` does it for one room."""
    with ThreadPoolExecutor(CALLERS) as callers:
        for seats in callers.map(partial(_filled, fill, port, members), range(rooms)):
            yield from seats


def _filled(fill: Fill, port: int, members: int, room: int) -> list[Seat]:
    address = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S)
    with closing(address) as connection:
        return fill(connection, room, members)


def ask(connection: http.client.HTTPConnection, path: str, body: object) -> Any:
    """What a POST is answered. Raises OSError when it is not 2xx."""
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status // 100 != 2:
        raise OSError(f"{path} was answered with {answer.status}: {said[:200]!r}")
    return json.loads(said)
