"""One realtime process per SQLite file: a lock that the operating system gives back."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO

from realtime.engine.store import StorageUnavailable

_IN_USE = (
    "another realtime process uses {}; SQLite allows one. "
    "Stop it first, or set DATABASE_URL to a PostgreSQL database of its own."
)


class SqliteClaim:
    """The right to write a database's rooms: an exclusive lock on a file beside the database.

    It ends with the process, however that ends. The file itself stays and means nothing.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._file: TextIO | None = None

    def take(self) -> None:
        """Hold the claim from now on. Raises StorageUnavailable when another process has it."""
        if self._file:
            return
        path = self._database.resolve()
        path = path.with_name(f"{path.name}.lock")
        try:
            self._file = path.open("a")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            self.release()
            if isinstance(problem, BlockingIOError):
                raise StorageUnavailable(_IN_USE.format(self._database.name)) from None
            raise StorageUnavailable(f"cannot lock {path.name}: {problem.strerror}") from problem

    def release(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
