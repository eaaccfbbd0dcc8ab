"""nginx with the configuration of docs/nginx.conf, on a port of its own and in a scratch folder."""

from __future__ import annotations

import getpass
import os
import re
import signal
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
error_log {folder}/main.log notice;
events {{ worker_connections {connections}; }}
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
    """Stands before lobbies and realtime processes, each given by its port."""

    def __init__(
        self,
        folder: Path,
        lobbies: Sequence[int],
        realtime: Sequence[int],
        *,
        connections: int = 4096,
    ) -> None:
        self.program = need_nginx()
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._main = folder / "nginx.conf"
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        self._main.write_text(MAIN.format(user=user, folder=folder, connections=connections))
        (folder / "greenroom.conf").write_text(self._sample(lobbies, realtime))

    def _sample(self, lobbies: Sequence[int], realtime: Sequence[int]) -> str:
        """The file as it is shipped, with other ports and another folder for its logs."""
        text = SAMPLE.read_text()
        for written, meant in {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "listen [::]:80;": "",
            **_servers(text, 8000, lobbies),
            **_servers(text, 1999, realtime),
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

    def reload(self) -> None:
        """Read the configuration again. The old worker lives on with its sockets."""
        stopped = self.said.count("gracefully shutting down")
        os.kill(int((self.folder / "nginx.pid").read_text()), signal.SIGHUP)
        until(lambda: self.said.count("gracefully shutting down") > stopped)

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


def _servers(sample: str, first: int, ports: Sequence[int]) -> dict[str, str]:
    """The upstream's line of the port `first`, and the one below it for a second process, each with
    what is meant instead."""
    (line,) = re.findall(rf"    (server 127.0.0.1:{first}\b.*;)", sample)
    lines = [line.replace(str(first), str(port)) for port in ports]
    spare = "# " + line.replace(str(first), str(first + 1))
    return {f"    {line}": f"    {lines[0]}", spare: " ".join(lines[1:])}
