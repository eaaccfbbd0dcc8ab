"""Answers of the API: JSON, whatever happened."""

from __future__ import annotations

from django.http import HttpResponse

from contracts import jsonio
from contracts.errors import RoomError

JSON = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff"}


def answer(value: object, status: int = 200) -> HttpResponse:
    """`value` as JSON."""
    return HttpResponse(jsonio.encode(value), status=status, headers=JSON)


def private(value: object, status: int = 200) -> HttpResponse:
    """`value` as JSON that no cache keeps: it holds a player's token."""
    response = answer(value, status)
    response["Cache-Control"] = "no-store"
    return response


def refusal(error: RoomError) -> HttpResponse:
    """`error` as JSON, with its status and headers."""
    response = answer(error.body, error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response
