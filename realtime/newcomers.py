"""The check of /readyz that tells whether a new socket finds a place."""

from __future__ import annotations

import errno
import os

from realtime.runtime import Runtime


def newcomers(serving: Runtime) -> dict[str, str]:
    """Name what keeps new sockets out, as a check of /readyz; empty while nothing does."""
    if len(serving.strangers) >= serving.settings.unauthenticated_sockets:
        return {"sockets": "as many as may are between handshake and JOIN_ROOM"}
    if not file_left():
        return {"sockets": "this process may open no more files"}
    return {}


def file_left() -> bool:
    """Tell whether this process may open one more file; a socket is one, too. A probe that arrives
    over an open connection would not notice."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        return problem.errno not in (errno.EMFILE, errno.ENFILE)
    return True
