"""nginx with the configuration of docs/nginx.conf, on a port of its own and in a scratch folder."""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from scripts.lib.bootstrap import ROOT
from tests.support.servers import free_port, pipe, until
from tests.support.services import need_nginx

SAMPLE = ROOT / "docs" / "nginx.conf"
MAIN = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/main.log;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/greenroom.conf;
}}
"""


LOGGED = re.compile(r'^\S+ \[\S+\] "(\S*) (.*?)" ([0-9]+) .* "(.*?)" ".*?"$', re.MULTILINE)


class Passed(NamedTuple):
    """A request as the access log has it; `upstream` is empty when it went no further."""

    method: str
    path: str
    status: str
    upstream: list[str]


class Nginx:
    """Stands before a lobby and realtime processes, each given by its port."""

    def __init__(self, folder: Path, lobby: int, realtime: Sequence[int]) -> None:
        self.program = need_nginx()
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._main = folder / "nginx.conf"
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        self._main.write_text(MAIN.format(user=user, folder=folder))
        (folder / "greenroom.conf").write_text(self._sample(lobby, realtime))

    def _sample(self, lobby: int, realtime: Sequence[int]) -> str:
        text, servers = SAMPLE.read_text(), [f"server 127.0.0.1:{port};" for port in realtime]
        for written, meant in {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "listen [::]:80;": "",
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{lobby};",
            "server 127.0.0.1:1999;": servers[0],
            "# server 127.0.0.1:2000;": " ".join(servers[1:]),
            "/var/log/nginx/": f"{self.folder}/",
        }.items():
            assert written in text, f"{SAMPLE} has no {written}"
            text = text.replace(written, meant)
        return text

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Start, and wait until it listens."""
        command = [self.program, "-p", str(self.folder), "-c", str(self._main)]
        self._leader = subprocess.Popen(
            [sys.executable, "-m", "scripts.lib.tier", *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        until(self._listens)

    def down(self) -> None:
        """Every connection through it is cut."""
        pipe(self._leader.stdin).close()
        self._leader.wait()

    def _listens(self) -> bool:
        assert self._leader.poll() is None, self.said
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    @property
    def passed(self) -> list[Passed]:
        """The requests that it has answered."""
        logged = LOGGED.findall((self.folder / "greenroom.log").read_text())
        return [
            Passed(method, path, status, re.findall(r"[^, ]+:[0-9]+", upstream))
            for method, path, status, upstream in logged
        ]

    @property
    def said(self) -> str:
        """All of its logs."""
        return "\n".join(log.read_text() for log in sorted(self.folder.glob("*.log")))
