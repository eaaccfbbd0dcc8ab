"""A client of the npm package `ws`, in Node; `tests/e2e/clients/talker.mjs` is its other half."""

from __future__ import annotations

import json
import subprocess
import threading
from queue import Empty, SimpleQueue
from typing import Any, Self

from tests.support import site
from tests.support.node import CLIENTS, QUIT_WITHIN_S, STARTED_WITHIN_S
from tests.support.servers import PATIENCE_S, pipe


class Talker:
    """One socket. What happens to it is told in its order."""

    def __init__(self, url: str, *, compresses: bool = False) -> None:
        self._events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._node = subprocess.Popen(
            ["node", "talker.mjs"],
            cwd=CLIENTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.next(STARTED_WITHIN_S)["event"] == "ready"
        self.does("open", url=url, compresses=compresses)
        opened = self.next()
        assert opened["event"] == "open", opened
        self.extensions: str = opened["extensions"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pipe(self._node.stdin).close()
        try:
            self._node.wait(QUIT_WITHIN_S)
        finally:
            self._node.kill()
            self._reader.join(QUIT_WITHIN_S)
            pipe(self._node.stdout).close()

    def does(self, command: str, **details: object) -> None:
        pipe(self._node.stdin).write(json.dumps({"command": command, **details}) + "\n")
        pipe(self._node.stdin).flush()

    def says(self, text: str, pieces: int = 1) -> None:
        self.does("send", text=text, pieces=pieces)

    def next(self, within_s: float = PATIENCE_S) -> dict[str, Any]:
        """What happens next. Raises TimeoutError."""
        try:
            event = self._events.get(timeout=within_s)
        except Empty:
            raise TimeoutError from None
        site.heard.append(str(event.get("text", "")))
        return event

    def hears(self, kind: str) -> dict[str, Any]:
        """The next message of this type."""
        while True:
            event = self.next()
            assert event["event"] == "message", event
            message = json.loads(event["text"])
            if message["type"] == kind:
                return message

    def closed(self) -> tuple[int, str]:
        """The code and the reason it was closed with; what came before is dropped."""
        while (event := self.next())["event"] != "close":
            pass
        return event["code"], event["reason"]

    def _read(self) -> None:
        for line in pipe(self._node.stdout):
            self._events.put(json.loads(line))
