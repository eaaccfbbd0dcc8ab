"""Whether one more socket would find a place in this process."""

from __future__ import annotations

import errno
import os

from realtime.runtime import Runtime


def newcomers(serving: Runtime) -> dict[str, str]:
    """A check for /readyz of what keeps new sockets out; empty while nothing does."""
    if len(serving.strangers) >= serving.settings.unauthenticated_sockets:
        return {"sockets": "as many as may are between handshake and JOIN_ROOM"}
    if not file_left():
        return {"sockets": "this process may open no more files"}
    return {}


def file_left() -> bool:
    """Whether a file can be opened: a socket is one, too. A request tells nothing, for it comes by
    a connection that is open already."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        return problem.errno not in (errno.EMFILE, errno.ENFILE)
    return True
