"""The realtime service with a bug that the lab has to find: `python -m tests.faultlab.planted BUG`.

Each function is one bug.
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
        assert "AND rooms.version = base AND rooms.tag = base_tag" in statement
        everything = statement.replace("AND rooms.version = base AND rooms.tag = base_tag", "")
        setattr(postgres_sql, name, everything)


def takes_a_version_for_an_identity() -> None:
    """A commit is kept whatever the row's tag is."""
    from realtime.engine import postgres_sql

    for name in ("KEEP", "KEEP_WITH_MATCHES"):
        statement: str = getattr(postgres_sql, name)
        assert "AND rooms.tag = base_tag" in statement
        setattr(postgres_sql, name, statement.replace("AND rooms.tag = base_tag", ""))


def trusts_its_memory() -> None:
    """What nobody knows the outcome of is taken for kept."""
    from realtime.engine.memory import Memory
    from realtime.engine.store import StorageUnavailable

    keep = Memory._keep

    async def trusting(self: Memory, basis: Any, *others: Any) -> bool:
        try:
            return await keep(self, basis, *others)
        except StorageUnavailable:
            getattr(basis, "turns", basis).committed()
            return True

    Memory._keep = trusting  # type: ignore[method-assign]


BUGS = [
    takes_lower_case_for_a_name,
    forgets_whose_turn_it_was,
    takes_a_version_for_an_identity,
    trusts_its_memory,
]

if __name__ == "__main__":
    env.enter("realtime")
    (plant,) = (bug for bug in BUGS if bug.__name__ == sys.argv[1])
    plant()  # first: what is loaded later takes it from here
    django.setup()
    from realtime import serve

    sys.exit(serve.main())
