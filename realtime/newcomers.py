"""The check of /readyz that tells whether a new socket finds a place."""

from __future__ import annotations

from contracts.open_files import no_file_left
from realtime.runtime import Runtime


def newcomers(serving: Runtime) -> dict[str, str]:
    """Name what keeps new sockets out, as a check of /readyz; empty while nothing does."""
    if len(serving.strangers) >= serving.settings.unauthenticated_sockets:
        return {"sockets": "as many as may are between handshake and JOIN_ROOM"}
    if no_file_left():  # a probe over an open connection would not notice
        return {"sockets": "this process may open no more files"}
    return {}
