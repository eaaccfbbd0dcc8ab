"""Strict JSON at the edges: every body and frame passes through here once.

msgspec lets some input pass unread where a model ignores it or keeps it raw: any depth, numbers
no double can hold. `check` closes those holes before anything is decoded.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn, TypeVar

import msgspec

from contracts.errors import Code, Detail, RoomError
from contracts.limits import JSON_DEPTH_MAX

T = TypeVar("T")

# Numbers that no double may hold have one of these. The first is quick to look for, and may also
# stand in an id; the second looks closely.
_EXPONENT = re.compile(rb"[eE]\+?\d{3}")
_NUMBER_WITH_IT = re.compile(rb"""(?<![\w."-])-?\d[\d.]*[eE]\+?\d{3}""")
_DIGITS = re.compile(rb"\d{300}")
_FIELD = re.compile(r" - at `(?:key in )?\$?\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_encode = msgspec.json.Encoder().encode


class MalformedJson(RoomError):
    """The input is no JSON at all, or JSON that we do not take."""

    def __init__(self, message: str = "The body is not valid JSON") -> None:
        super().__init__(Code.BAD_REQUEST, message)


def encode(value: object) -> bytes:
    """`value` as compact JSON."""
    return _encode(value)


def raw(value: object) -> msgspec.Raw:
    """`value` as JSON that another message can hold as it is."""
    return msgspec.Raw(_encode(value))


def decode(raw: bytes, model: type[T], *, path: str = "") -> T:
    """Read `raw` as `model`; raise BAD_REQUEST naming the bad field, below `path`."""
    check(raw)
    return decode_checked(raw, model, path=path)


def decode_checked(raw: bytes | msgspec.Raw, model: type[T], *, path: str = "") -> T:
    """`decode` for a part of something that `check` has already passed."""
    try:
        return msgspec.json.decode(raw, type=model)
    except msgspec.ValidationError as error:
        raise invalid(error, path) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedJson from None


def invalid(error: msgspec.ValidationError, path: str = "") -> RoomError:
    """A validation error as BAD_REQUEST: `settings.playerCap: Expected `int`, got `str``."""
    text = str(error)
    field, missing = _FIELD.search(text), _MISSING.search(text)
    message = _FIELD.sub("", text)
    parts = [path, field.group(1) if field else "", missing.group(1) if missing else ""]
    where = ".".join(part for part in parts if part)
    if missing:
        message = "This field is required"
    details = [Detail(where, message)] if where else []
    return RoomError(Code.BAD_REQUEST, f"{where}: {message}" if where else message, details=details)


def check(raw: bytes) -> None:
    """Raise BAD_REQUEST when `raw` is too deep or holds a number that no double can hold.

    The cheap tests over-estimate (brackets and digits inside strings count), so what they suspect
    is read again exactly.
    """
    if raw.count(b"[") + raw.count(b"{") > JSON_DEPTH_MAX or _may_hold_a_big_number(raw):
        _check_exactly(raw)


def _may_hold_a_big_number(raw: bytes) -> bool:
    return bool((_EXPONENT.search(raw) and _NUMBER_WITH_IT.search(raw)) or _DIGITS.search(raw))


def _check_exactly(raw: bytes) -> None:
    try:
        value = json.loads(raw, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    except RoomError:
        raise
    except (ValueError, RecursionError):
        raise MalformedJson from None
    if _depth(value) > JSON_DEPTH_MAX:
        raise MalformedJson(f"JSON nested deeper than {JSON_DEPTH_MAX} levels")


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise MalformedJson("A number is out of range")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _depth(value: Any) -> int:
    """Levels of nesting, without recursion: the input may be deeper than our own stack."""
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [
            child for item in level for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth
