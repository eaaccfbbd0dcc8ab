"""PgBouncer before the tests' PostgreSQL, on a port of its own and in a scratch folder."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import psycopg

from scripts.lib.bootstrap import ROOT
from tests.support.servers import free_port, until
from tests.support.services import need_pgbouncer

SETTINGS = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
admin_users = pgbouncer
{more}
"""


class PgBouncer:
    """Pools sessions with the server at `server_url`, in one of its modes."""

    def __init__(
        self, folder: Path, server_url: str, mode: str, *, size: int = 20, more: str = ""
    ) -> None:
        """`size` is that of a pool, `more` are further lines of settings."""
        self.program = need_pgbouncer()
        self.port = free_port()
        self._log = folder / "pgbouncer.log"
        self._settings = folder / "pgbouncer.ini"
        self._settings.write_text(
            SETTINGS.format(
                server=_keywords(server_url),
                own_port=self.port,
                mode=mode,
                size=size,
                more=more,
            )
        )

    def url(self, database_url: str) -> str:
        """The way through it to a database of the server."""
        url = urlsplit(database_url)
        return url._replace(netloc=f"{url.username}@127.0.0.1:{self.port}").geturl()

    def __enter__(self) -> Self:
        command = [self.program, *self._user, str(self._settings)]
        with self._log.open("ab") as log:
            self._leader = subprocess.Popen(
                [sys.executable, "-m", "scripts.lib.tier", *command],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._leader.stdin
        self._leader.stdin.close()
        self._leader.wait()

    def _answers(self) -> bool:
        assert self._leader.poll() is None, self.said
        with suppress(psycopg.Error):
            self._administer("SHOW VERSION")
            return True
        return False

    def _administer(self, command: str) -> list[tuple]:
        url = f"postgresql://pgbouncer@127.0.0.1:{self.port}/pgbouncer"
        with psycopg.connect(url, autocommit=True) as console:
            return console.execute(command).fetchall()

    @property
    def clients(self) -> int:
        """How many sessions go through it at the moment, the question's own aside."""
        return sum(client[2] != "pgbouncer" for client in self._administer("SHOW CLIENTS"))

    @property
    def said(self) -> str:
        """Its log."""
        return self._log.read_text()

    @property
    def _user(self) -> list[str]:
        """PgBouncer refuses to run as root."""
        return ["-u", "nobody"] if os.geteuid() == 0 else []


def _keywords(server_url: str) -> str:
    """Where the server is and as whom to enter, as PgBouncer writes it."""
    url = urlsplit(server_url)
    words = {
        "host": url.hostname,
        "port": url.port,
        "user": unquote(url.username or ""),
        "password": unquote(url.password or ""),
    }
    return " ".join(f"{word}={value}" for word, value in words.items() if value)
