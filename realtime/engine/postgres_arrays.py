"""PostgreSQL's binary values, written directly: a round sends hundreds, most of them in arrays.

The layout of an array is that of PostgreSQL's `array_recv`: number of dimensions, whether there are
nulls (here never), the element type's oid, length, lower bound; then each element after its own
length.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from struct import Struct
from struct import pack as pack_all
from uuid import UUID

_HEADER = Struct(">iiIii").pack
_LENGTH = Struct(">i").pack
_INT8 = Struct(">q").pack
_FLOAT8 = Struct(">d").pack


def int8(value: int) -> bytes:
    return _INT8(value)


def float8(value: float) -> bytes:
    return _FLOAT8(value)


def bools(values: Sequence[bool]) -> bytes:
    return _fixed(16, "?", 1, values)


def int8s(values: Sequence[int]) -> bytes:
    return _fixed(20, "q", 8, values)


def float8s(values: Sequence[float]) -> bytes:
    return _fixed(701, "d", 8, values)


def uuids(values: Sequence[UUID]) -> bytes:
    return _varying(2950, [value.bytes for value in values])


def texts(values: Sequence[str]) -> bytes:
    return _varying(25, [value.encode() for value in values])


def utf8s(values: Sequence[bytes]) -> bytes:
    """An array of text, from what is encoded already."""
    return _varying(25, values)


def byteas(values: Sequence[bytes]) -> bytes:
    return _varying(17, values)


def _fixed(oid: int, code: str, size: int, values: Sequence[float]) -> bytes:
    count = len(values)
    sized = chain.from_iterable(zip([size] * count, values, strict=True))
    return _HEADER(1, 0, oid, count, 1) + pack_all(f">{('i' + code) * count}", *sized)


def _varying(oid: int, values: Sequence[bytes]) -> bytes:
    parts = [_HEADER(1, 0, oid, len(values), 1)]
    for value in values:
        parts += (_LENGTH(len(value)), value)
    return b"".join(parts)
