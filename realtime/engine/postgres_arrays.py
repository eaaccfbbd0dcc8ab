"""PostgreSQL's binary arrays, written directly: a round sends hundreds of values.

The layout is that of PostgreSQL's `array_recv`: number of dimensions, whether there are nulls (never
here), the element type's oid, length and lower bound; then each element after its own length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from struct import Struct, pack
from uuid import UUID

_HEADER = Struct(">iiIii")
_LENGTH = Struct(">i").pack
_OIDS = {"?": 16, "q": 20, "d": 701}
_SIZES = {"?": 1, "q": 8, "d": 8}
_BYTEA, _TEXT, _UUID = 17, 25, 2950


def bools(values: Iterable[bool]) -> bytes:
    """boolean[]"""
    return _fixed("?", [*values])


def int8s(values: Iterable[int]) -> bytes:
    """bigint[]"""
    return _fixed("q", [*values])


def float8s(values: Iterable[float]) -> bytes:
    """double precision[]"""
    return _fixed("d", [*values])


def uuids(values: Iterable[UUID]) -> bytes:
    """uuid[]"""
    return _varying(_UUID, [value.bytes for value in values])


def texts(values: Iterable[str]) -> bytes:
    """text[]"""
    return _varying(_TEXT, [value.encode() for value in values])


def utf8s(values: Iterable[bytes]) -> bytes:
    """text[], of text that is encoded already."""
    return _varying(_TEXT, [*values])


def byteas(values: Iterable[bytes]) -> bytes:
    """bytea[]"""
    return _varying(_BYTEA, [*values])


def _fixed(code: str, values: Sequence[float]) -> bytes:
    count = len(values)
    sized = chain.from_iterable(zip([_SIZES[code]] * count, values, strict=True))
    return _HEADER.pack(1, 0, _OIDS[code], count, 1) + pack(f">{('i' + code) * count}", *sized)


def _varying(oid: int, values: Sequence[bytes]) -> bytes:
    parts = [_HEADER.pack(1, 0, oid, len(values), 1)]
    for value in values:
        parts += (_LENGTH(len(value)), value)
    return b"".join(parts)
