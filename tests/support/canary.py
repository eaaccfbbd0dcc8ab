"""Every token that was handed out, and a look for them where none may be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import httpx

from tests.support.databases import Scratch, SqliteFile
from tests.support.site import Site

TAIL = 32  # characters: a token is known by its end, also without its prefix
TOKEN = re.compile(rf"[\w-]{{{TAIL},}}", re.ASCII)


class Canary:
    """Hears on an HTTP client who is given which token, and what else is answered."""

    def __init__(self) -> None:
        self.answers: list[str] = []  # that had no token to give
        self._by_tail: dict[str, str] = {}

    def hears(self, site: Site) -> Site:
        """This site, whose client is listened to from now on."""
        site.http.event_hooks = {"response": [self.hear]}
        return site

    def hear(self, answer: httpx.Response) -> None:
        """Note the tokens that were sent or given; other answers may hold none."""
        given = token_in(answer.read())
        for token in (given, token_in(body_of(answer.request))):
            if token:
                self.note(token)
        if not given:
            self.answers.append(f"{answer.headers}\n{answer.text}")

    def note(self, token: str) -> None:
        """This one was handed out. What a test made up to be refused may have another form."""
        if TOKEN.fullmatch(token):
            self._by_tail[token[-TAIL:]] = token

    @property
    def tokens(self) -> set[str]:
        return set(self._by_tail.values())

    def seen_in(self, *texts: str | bytes) -> set[str]:
        """The tokens that these hold."""
        return {self._by_tail[tail] for tail in tails(texts) if tail in self._by_tail}


def body_of(request: httpx.Request) -> bytes:
    """What was sent, unless it was a stream."""
    with suppress(httpx.StreamError):
        return request.read()
    return b""


def token_in(body: bytes) -> str | None:
    """The token that this body is there to carry."""
    with suppress(ValueError, RecursionError):
        match json.loads(body):
            case {"playerToken": str(token)}:
                return token
    return None


def tails(texts: Iterable[str | bytes]) -> Iterator[str]:
    """Whatever could be the end of a token."""
    for text in texts:
        readable = text if isinstance(text, str) else text.decode("latin-1")
        for run in TOKEN.findall(readable):
            yield from (run[end - TAIL : end] for end in range(TAIL, len(run) + 1))


def contents(database: Scratch) -> Iterator[str | bytes]:
    """All that is kept: every row of every table and, where there are any, the files' bytes."""
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    if isinstance(database, SqliteFile):
        tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
        yield from (file.read_bytes() for file in database.folder.glob(f"{database.file.name}*"))
    for (table,) in database.rows(tables):
        for row in database.rows(f'SELECT * FROM "{table}"'):
            yield from map(as_text, row)


def as_text(value: Any) -> str | bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value)
