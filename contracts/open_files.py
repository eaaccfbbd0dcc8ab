"""Whether this process may open one more file; a socket is one, too."""

from __future__ import annotations

import errno
import os

NO_FILE_LEFT = frozenset({errno.EMFILE, errno.ENFILE})


def no_file_left() -> OSError | None:
    """Open a file and close it. Return the error if there is no descriptor left for it."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        return problem if problem.errno in NO_FILE_LEFT else None
    return None
