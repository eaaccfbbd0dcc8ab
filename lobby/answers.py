"""Answers of the API: JSON, whatever happened."""

from __future__ import annotations

from contracts import jsonio
from contracts.errors import RoomError
from contracts.exchange import JSON_HEAD, Response, refused

NO_SNIFF = b"x-content-type-options: nosniff\r\n"
HEAD = JSON_HEAD + NO_SNIFF
PRIVATE_HEAD = HEAD + b"cache-control: no-store\r\n"


def answer(value: object, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(status, HEAD, jsonio.encode(value))


def private(value: object, status: int = 200) -> Response:
    """`value` as JSON that no cache keeps: it holds a player's token."""
    return Response(status, PRIVATE_HEAD, jsonio.encode(value))


def refusal(error: RoomError) -> Response:
    """`error` as JSON, with its status and headers."""
    return refused(error).also(NO_SNIFF)
