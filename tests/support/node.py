"""Pages in Node, with the npm clients that front ends use; `tests/e2e/clients` holds them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import threading
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Self
from urllib.parse import urlsplit

from scripts.lib.bootstrap import ROOT
from tests.support import site
from tests.support.servers import PATIENCE_S, pipe
from tests.support.site import Socket

CLIENTS = ROOT / "tests" / "e2e" / "clients"
LOCK = CLIENTS / "package-lock.json"
MODULES = CLIENTS / "node_modules"
STAMP = MODULES / "greenroom-stamp"
INSTALLED_WITHIN_S = 600.0
STARTED_WITHIN_S = 120.0  # where many start at once
QUIT_WITHIN_S = 60.0


def install() -> bool:
    """Install what the lock file pins, unless it is. Whether the clients can run."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    pins = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    with LOCK.open() as lock:  # one at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == pins:
            return True
        with suppress(subprocess.SubprocessError):
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=CLIENTS, check=True, timeout=INSTALLED_WITHIN_S)
            STAMP.write_text(pins)
            return True
        return False


class Page(Socket):
    """One player's page. Its socket joins whenever it opens, and opens again by itself."""

    def __init__(self) -> None:
        """A page without a socket; Node starts meanwhile."""
        self.frames: list[dict[str, Any]] = []
        self.sockets: list[list[dict[str, Any]]] = []  # the frames of each that was opened
        self.heard_at = 0.0  # when the last frame came, in seconds since the epoch
        self._events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._closes: deque[int] = deque()  # codes that nobody has asked for yet
        self._ready = False
        self._node = subprocess.Popen(
            ["node", "player.mjs"],
            cwd=CLIENTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ready(self) -> Self:
        """This page, when Node has started."""
        while not self._ready:
            self._next_event(STARTED_WITHIN_S)
        return self

    def open(self, admission: dict[str, Any]) -> Self:
        """Join with what an answer of the lobby says."""
        url = urlsplit(admission["wsUrl"])
        _, party, room = url.path.removeprefix("/").split("/")
        address = {"host": url.netloc, "party": party, "room": room}
        self.ready()._command("open", **address, token=admission["playerToken"])
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            pipe(self._node.stdin).close()
        try:
            self._node.wait(QUIT_WITHIN_S)
        finally:
            self._node.kill()
            self._reader.join(QUIT_WITHIN_S)
            pipe(self._node.stdout).close()

    def send(self, kind: str, payload: object = None, **fields: object) -> None:
        self._command("send", frame={"type": kind, "payload": payload or {}, **fields})

    def close(self) -> None:
        """As a page that is left: for good."""
        self._command("close")
        assert self.closed() == 1000

    def receive(self, within_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next frame, of whichever socket it comes. Raises TimeoutError."""
        known = len(self.frames)
        while len(self.frames) == known:
            self._next_event(within_s)
        return self.frames[-1]

    def closed(self, within_s: float = PATIENCE_S) -> int:
        """The code of the next close that nobody has asked for; the frames before it are kept."""
        while not self._closes:
            self._next_event(within_s)
        return self._closes.popleft()

    def snapshot(self) -> dict[str, Any]:
        """The next view of the room."""
        return self.next("ROOM_SNAPSHOT")["payload"]

    def _next_event(self, within_s: float) -> None:
        try:
            event = self._events.get(timeout=within_s)
        except Empty:
            raise TimeoutError from None
        match event:
            case {"event": "ready"}:
                self._ready = True
            case {"event": "open"}:
                self.sockets.append([])
            case {"event": "close"}:
                self._closes.append(event["code"])
            case {"event": "frame"}:
                site.heard.append(event["data"])
                self.frames.append(json.loads(event["data"]))
                self.sockets[-1].append(self.frames[-1])
                self.heard_at = event["at"] / 1000

    def _command(self, command: str, **details: object) -> None:
        pipe(self._node.stdin).write(json.dumps({"command": command, **details}) + "\n")
        pipe(self._node.stdin).flush()

    def _read(self) -> None:
        for line in pipe(self._node.stdout):
            self._events.put(json.loads(line))
