"""Whether the files of an open SQLite database are still the ones on their paths."""

from __future__ import annotations

import os
from typing import TypeAlias

from realtime.engine.store import StorageUnavailable

_Identity: TypeAlias = tuple[int, int] | None  # device and inode; None: there is no file
_BESIDE = ("-wal", "-shm")  # what was written last is in them


class Replaced(StorageUnavailable):
    """The open file is not the one on its path: what it keeps is lost with it."""

    def __init__(self) -> None:
        super().__init__(
            "the SQLite file was deleted or replaced under this process: nothing is kept any more. "
            "Stop the service, put the right file in its place, and start again."
        )


class OpenFile:
    """The files that a connection has open. Read after its first statement, which makes them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._main = _identity(path)
        self._beside: list[_Identity] = []
        self.replaced = False  # noticed so far

    def opened(self) -> None:
        """A connection is there, with the files that are beside the database now.

        Raises Replaced when the database itself is another one than at first.
        """
        self._main = self._main or _identity(self._path)  # SQLite has just made it
        self._beside = self._found()
        self.check()

    def check(self) -> None:
        """Raise Replaced, now and from now on, unless each file is the one that was opened."""
        same = self._main == _identity(self._path) and self._beside == self._found()
        self.replaced = self.replaced or not same
        if self.replaced:
            raise Replaced

    def _found(self) -> list[_Identity]:
        return [_identity(self._path + end) for end in _BESIDE]


def _identity(path: str) -> _Identity:
    try:
        found = os.stat(path)  # noqa: PTH116  every commit pays for it
    except OSError:
        return None
    return found.st_dev, found.st_ino
