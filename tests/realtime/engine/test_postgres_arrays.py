"""The arrays are read by a server as they were meant."""

from uuid import UUID

import psycopg
import pytest

from realtime.engine.postgres_arrays import (
    bools,
    byteas,
    float8,
    float8s,
    int8,
    int8s,
    texts,
    utf8s,
    uuids,
)
from tests.support.services import need_postgresql

SOME_UUIDS = [UUID(int=0), UUID(int=2**128 - 1)]


@pytest.fixture(scope="module")
def server():
    with psycopg.connect(need_postgresql(), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("values", [[], [1], [0, -1, 2**63 - 1, -(2**63)]])
def test_integers(server, values):
    assert received(server, "bigint", int8s(values)) == values


@pytest.mark.parametrize("values", [[], [0.0, -1.5, 1_700_000_000.123456]])
def test_floats(server, values):
    assert received(server, "float8", float8s(values)) == values


@pytest.mark.parametrize("values", [[], [True, False, True]])
def test_booleans(server, values):
    assert received(server, "bool", bools(values)) == values


@pytest.mark.parametrize("values", [[], ["", "plain", '{"json"}', "NULL", "žluťoučký 🐎"]])
def test_texts(server, values):
    assert received(server, "text", texts(values)) == values
    assert received(server, "text", utf8s([value.encode() for value in values])) == values


@pytest.mark.parametrize("values", [[], [b"", bytes(range(256)) * 300]])
def test_bytes(server, values):
    assert received(server, "bytea", byteas(values)) == values


@pytest.mark.parametrize("values", [[], SOME_UUIDS])
def test_uuids(server, values):
    assert received(server, "uuid", uuids(values)) == values


@pytest.mark.parametrize(
    ("kind", "sent", "meant"),
    [
        ("bigint", int8(-(2**40)), b"-1099511627776"),
        ("float8", float8(1.7e9 + 0.25), b"1700000000.25"),
    ],
)
def test_single_values(server, kind, sent, meant):
    asked = server.pgconn.exec_params(f"SELECT $1::{kind}::text".encode(), [sent], None, [1])
    assert asked.get_value(0, 0) == meant


def received(server, kind, array):
    """The elements, as psycopg reads them back from the server."""
    asked = server.pgconn.exec_params(f"SELECT $1::{kind}[]::text".encode(), [array], None, [1])
    assert not asked.error_message
    return server.execute(f"SELECT %s::{kind}[]", [asked.get_value(0, 0).decode()]).fetchone()[0]
