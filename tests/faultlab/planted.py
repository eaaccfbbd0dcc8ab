"""The realtime service with a bug that the lab has to find: `python -m tests.faultlab.planted BUG`.

Each function is one bug. It is planted before anything of the service is loaded, or into it.
"""

from __future__ import annotations

import sys
from typing import Any

import django

from config import env


def takes_lower_case_for_a_name() -> None:
    """Names are the same when their lower case is."""
    from contracts import usernames

    usernames.username_key = str.lower  # type: ignore[assignment]


def forgets_whose_turn_it_was() -> None:
    """A commit is kept whatever the row's version is."""
    from realtime.engine import postgres_sql

    for name in ("KEEP", "KEEP_WITH_MATCHES"):
        statement: str = getattr(postgres_sql, name)
        assert "AND rooms.version = base" in statement
        setattr(postgres_sql, name, statement.replace("AND rooms.version = base", ""))


def trusts_its_memory() -> None:
    """What nobody knows the outcome of is taken for kept."""
    from realtime.engine.memory import Memory
    from realtime.engine.store import StorageUnavailable

    keep = Memory._keep

    async def trusting(self: Memory, turns: Any, believed: bool) -> bool:
        try:
            return await keep(self, turns, believed)
        except StorageUnavailable:
            turns.committed()
            return True

    Memory._keep = trusting  # type: ignore[method-assign]


if __name__ == "__main__":
    env.enter("realtime")
    if sys.argv[1] == takes_lower_case_for_a_name.__name__:
        takes_lower_case_for_a_name()
    django.setup()
    if sys.argv[1] == forgets_whose_turn_it_was.__name__:
        forgets_whose_turn_it_was()
    if sys.argv[1] == trusts_its_memory.__name__:
        trusts_its_memory()
    from realtime import serve

    sys.exit(serve.main())
