"""The services that some tests need: those the environment names, else what this machine runs."""

from __future__ import annotations

import getpass
import os
import shutil
from functools import cache
from typing import NoReturn

import psycopg
import pytest
import redis

from tests.support import node

POSTGRESQL = "PostgreSQL (DATABASE_URL, or 127.0.0.1:5432)"
REDIS = "Redis (REDIS_URL, or 127.0.0.1:6379)"
NODE = "Node.js with npm (node and npm on the PATH, and a registry to install from)"
NGINX = "nginx (on the PATH, or in /usr/sbin)"
PGBOUNCER = "PgBouncer (on the PATH, or in /usr/sbin)"
LEFT_OUT = "needs "
REACHED_WITHIN_S = 2


@cache
def postgresql() -> str | None:
    """The URL of a server on which databases may be made."""
    local = "postgresql://{}@127.0.0.1:5432/postgres"
    roles = [os.environ.get("PGUSER"), getpass.getuser(), "root", "postgres"]
    given = os.environ.get("DATABASE_URL")
    urls = [given] if given else [local.format(role) for role in dict.fromkeys(roles) if role]
    return next(filter(may_create_databases, urls), None)


def may_create_databases(url: str) -> bool:
    question = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        with psycopg.connect(url, connect_timeout=REACHED_WITHIN_S) as connection:
            (may,) = connection.execute(question).fetchone() or (False,)
    except psycopg.Error:
        return False
    return bool(may)


@cache
def redis_server() -> str | None:
    """The URL of a Redis server."""
    url = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/0"
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=REACHED_WITHIN_S) as client:
            client.ping()
    except redis.RedisError:
        return None
    return url


@cache
def node_clients() -> bool:
    """Whether Node is here with the clients that the tests run in it."""
    return node.install()


def need_postgresql() -> str:
    """The server's URL; without one the test is left out."""
    return postgresql() or leave_out(POSTGRESQL)


def need_redis() -> str:
    """The server's URL; without one the test is left out."""
    return redis_server() or leave_out(REDIS)


def need_node() -> None:
    """Pages in Node can be opened; otherwise the test is left out."""
    if not node_clients():
        leave_out(NODE)


def need_nginx() -> str:
    """The program; without it the test is left out."""
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx") or leave_out(NGINX)


def need_pgbouncer() -> str:
    """The program; without it the test is left out."""
    found = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    return found or leave_out(PGBOUNCER)


def leave_out(service: str) -> NoReturn:
    if os.environ.get("GREENROOM_TEST_COMPLETE") == "1":
        pytest.fail(f"{service} can't be had, and nothing may be left out", pytrace=False)
    pytest.skip(LEFT_OUT + service)


def left_out(reasons: list[str]) -> str:
    """One line for the end of a run: how many tests each absent service cost."""
    needs = [reason.removeprefix(LEFT_OUT) for reason in reasons if reason.startswith(LEFT_OUT)]
    return "; ".join(f"without {one}: {needs.count(one)}" for one in dict.fromkeys(needs))
