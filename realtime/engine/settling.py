"""What a round of storage does: rooms are found together, and kept together or alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from realtime.core.rows import ABSENT, Commit, RoomKey, Snapshot
from realtime.engine.asks import Answer, Ask, Confirm, EndHold, Load, Lookup, Single
from realtime.engine.database import Database
from realtime.engine.store import Busy, Rejected, StorageUnavailable


class Settling:
    """The work of a round, done by a database."""

    def __init__(self, database: Database) -> None:
        self.interrupt = database.interrupt
        self.close = database.close
        self._database = database

    def run(self, items: Sequence[Ask]) -> list[Answer | Exception]:
        """An answer for each, in order. Reads see all that earlier rounds kept."""
        lookups = [item for item in items if isinstance(item, (Load, Confirm))]
        commits = [item for item in items if isinstance(item, Commit)]
        found = iter(self._find(lookups))
        kept = iter(self._keep(commits))
        answers: list[Answer | Exception] = []
        for item in items:
            if isinstance(item, Commit):
                answers.append(next(kept))
            elif isinstance(item, (Load, Confirm)):
                answers.append(next(found))
            else:
                answers.append(self._alone(item))
        return answers

    def _find(self, lookups: list[Lookup]) -> Sequence[Answer | Exception]:
        wanted: dict[RoomKey, bool] = {}
        for lookup in lookups:
            wanted[lookup.key] = isinstance(lookup, Load) or wanted.get(lookup.key, False)
        try:
            rooms = self._database.find(wanted) if wanted else {}
        except Exception as problem:  # noqa: BLE001  (each caller is told)
            return [problem] * len(lookups)
        return [_answer(lookup, rooms.get(lookup.key)) for lookup in lookups]

    def _alone(self, item: Single) -> Answer | Exception:
        try:
            return item.of(self._database)
        except Exception as problem:  # noqa: BLE001  (its caller is told)
            return _said(problem) if isinstance(item, EndHold) else problem

    def _keep(self, commits: list[Commit]) -> Sequence[bool | Exception]:
        """All in one transaction. If that is rolled back, each alone: only the guilty one fails."""
        patient = True
        if len(commits) > 1 and len({commit.key for commit in commits}) == len(commits):
            try:
                return self._database.keep(commits)
            except StorageUnavailable as problem:
                return [problem] * len(commits)
            except Busy:
                patient = False
            except Exception:  # noqa: BLE001, S110  (said again to the one it is about)
                pass
        return list(self._each(commits, patient=patient))

    def _each(self, commits: list[Commit], *, patient: bool) -> Iterator[bool | Exception]:
        """Each alone. Waits add up: nobody waits again for what kept another one waiting."""
        unavailable: StorageUnavailable | None = None
        for commit in commits:
            answer = unavailable or self._one(commit, patient=patient)
            if isinstance(answer, StorageUnavailable):
                unavailable = answer
            patient = patient and not isinstance(answer, Busy)
            yield answer

    def _one(self, commit: Commit, *, patient: bool) -> bool | Exception:
        try:
            return self._database.keep([commit], patient=patient)[0]
        except Exception as problem:  # noqa: BLE001  (its caller is told)
            return _said(problem)


def _said(problem: Exception) -> Exception:
    """What befell a commit, in the store's words."""
    known = isinstance(problem, (Rejected, Busy, StorageUnavailable))
    return problem if known else _rejection(problem)


def _rejection(problem: Exception) -> Rejected:
    """What failed before the database was asked fails again: a party gave a value of a wrong type,
    or out of range. What `problem` says is not repeated, it may quote that value."""
    rejection = Rejected(f"a value that no row can hold ({type(problem).__name__})")
    rejection.__cause__ = problem
    return rejection


def _answer(lookup: Lookup, room: Snapshot | None) -> Answer:
    if isinstance(lookup, Load):
        return room
    return (room.revision if room else ABSENT) == lookup.revision
