"""A session with PostgreSQL: opened by both tiers in one way, and refused when it isn't as asked.

Session settings are set after the connection is there, and read back in a later transaction. A
connection pooler ignores them at the start, or refuses them.
"""

from __future__ import annotations

import select
import time
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import pq

from contracts import jsonio

VERSION_MIN = 14
OPENS_WITHIN_S = 2.0  # once there is a connection
PROBES = 5
# How long a network may be silent; what a caller or DATABASE_URL says otherwise doesn't count.
NETWORK: Mapping[str, Any] = MappingProxyType(
    {
        "connect_timeout": 2,
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 2000,  # ms
    }
)
# What every session relies on, whatever the role or the database says.
COMMON: Mapping[str, str] = MappingProxyType(
    {
        "client_encoding": "UTF8",
        "datestyle": "ISO, MDY",
        "intervalstyle": "postgres",
        "bytea_output": "hex",
        "standard_conforming_strings": "on",
        "default_transaction_isolation": "read committed",
        "idle_session_timeout": "0",
        # Acknowledged is kept. One that waits for more than the server's own disk is left as it is.
        "synchronous_commit": "on",
    }
)
_SET = """
    SELECT json_object_agg(name, set_config(name, value, false))
    FROM json_each_text($1::json) AS wanted (name, value)
    WHERE name <> 'synchronous_commit' OR current_setting(name) = 'off'
"""
_LOST = """
    SELECT name FROM json_each_text($1::json) AS kept (name, value)
    WHERE current_setting(name, true) IS DISTINCT FROM value ORDER BY name
"""
_SHARED = (
    "a connection pooler before PostgreSQL gives one session to several clients (PgBouncer calls "
    "that transaction or statement mode). Use its session mode, or let DATABASE_URL name "
    "PostgreSQL itself."
)
_ENCODED = (
    "the database {name} is encoded {encoding}, which can't hold every name and text. Make one "
    "that is UTF8: createdb --encoding=UTF8 --template=template0 NAME."
)
_OLD = "PostgreSQL {version} is too old: Greenroom needs {minimum} or newer."
_CHANGED = (
    "PostgreSQL, or a connection pooler before it, does not keep what a session sets: {names}."
)
_SILENT = "PostgreSQL, or a connection pooler before it, had no session free within {limit:g} s."


class Unfit(psycopg.OperationalError):
    """A session can't be used as it is. The message is a sentence for an operator, and holds no
    secret."""


def open_session(params: Mapping[str, Any]) -> psycopg.Connection[Any]:
    """Connect as `psycopg.connect` does, and see that the session is ours alone and as asked.

    `params["session"]` maps settings to the values that they have from then on.
    Raises psycopg.Error, and Unfit, whose message is a sentence of ours.
    """
    own: dict[str, Any] = {**params, **NETWORK}
    session = {**COMMON, **own.pop("session", {})}
    connection = psycopg.connect(**own)
    until = time.monotonic() + OPENS_WITHIN_S
    try:
        _require_server(connection)
        if _is_proxied(connection, until):
            _require_one_client(connection, own, until)
        _require_settings(connection, session, until)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_server(connection: psycopg.Connection[Any]) -> None:
    """Raises Unfit when what the server says of itself at the start rules it out."""
    info = connection.info
    if info.server_version < VERSION_MIN * 10_000:
        version = info.parameter_status("server_version")
        raise Unfit(_OLD.format(version=version, minimum=VERSION_MIN))
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise Unfit(_ENCODED.format(name=info.dbname, encoding=encoding))


def _is_proxied(connection: psycopg.Connection[Any], until: float) -> bool:
    """Whether another process answers than the one that the session began with: a pooler makes up
    the number by which a client may cancel."""
    return _pid(connection, until) != str(connection.info.backend_pid)


def _require_one_client(
    connection: psycopg.Connection[Any], params: dict[str, Any], until: float
) -> None:
    """See that a pooler keeps a server's session for each client. Raises Unfit.

    A shared session goes to the next transaction of any client. So with another client beside us
    both are served by one process in turn, or one of us by several.
    """
    with closing(psycopg.connect(**params)) as other:
        for _ in range(PROBES):
            ours = {_pid(connection, until), _pid(connection, until)}
            theirs = {_pid(other, until), _pid(other, until)}
            if len(ours) > 1 or len(theirs) > 1 or ours & theirs:
                raise Unfit(_SHARED)


def _pid(connection: psycopg.Connection[Any], until: float) -> str:
    (pid,) = _ask(connection, until, "SELECT pg_backend_pid()::text")
    return pid


def _require_settings(
    connection: psycopg.Connection[Any], session: dict[str, str], until: float
) -> None:
    """Set what the session needs, and see in the next transaction that it is kept. Raises Unfit."""
    (kept,) = _ask(connection, until, _SET, jsonio.encode(session))
    if lost := _ask(connection, until, _LOST, kept.encode()):
        raise Unfit(_CHANGED.format(names=", ".join(lost)))


def _ask(
    connection: psycopg.Connection[Any], until: float, query: str, *values: bytes
) -> list[str]:
    """Read the first column of a query's rows, in a transaction of its own."""
    server = connection.pgconn
    server.send_query_params(query.encode(), list(values))
    server.flush()
    results = []
    while result := _next_result(server, until):
        results.append(result)
    if not results:
        raise psycopg.OperationalError("the connection was lost")
    if results[0].status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.error_from_result(results[0])
    return [(results[0].get_value(row, 0) or b"").decode() for row in range(results[0].ntuples)]


def _next_result(server: pq.abc.PGconn, until: float) -> pq.abc.PGresult | None:
    poll = select.poll()  # select() can't watch a process's many files
    poll.register(server.socket, select.POLLIN)
    while server.is_busy():
        if not poll.poll(max(until - time.monotonic(), 0) * 1000):
            raise Unfit(_SILENT.format(limit=OPENS_WITHIN_S))
        server.consume_input()
    return server.get_result()
