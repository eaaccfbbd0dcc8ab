"""Every promise and the checks that hold a history to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from tests.faultlab.checker import (
    alarms,
    answers,
    broadcasts,
    durability,
    hosts,
    order,
    refusals,
    residue,
    rosters,
    storage,
    tokens,
    walls,
)
from tests.faultlab.checker.case import Case, cases
from tests.faultlab.checker.history import History, Violation

OfRoom: TypeAlias = Callable[[Case], Iterator[str]]
OfRun: TypeAlias = Callable[[History], Iterator[str]]

OF_A_ROOM: dict[str, tuple[OfRoom, ...]] = {
    "I1": (durability.acknowledged_is_kept, durability.gone_is_gone, durability.kept_is_there),
    "I2": (rosters.never_above_the_cap,),
    "I3": (rosters.names_are_unique, rosters.no_name_is_shown_twice),
    "I4": (rosters.nobody_comes_late,),
    "I5": (refusals.refusals_were_true,),
    "I6": (storage.journal_is_whole,),
    "I7": (storage.storage_agrees, storage.services_agree),
    "I8": (hosts.one_host, hosts.somebody_is_host),
    "I9": (answers.one_player_each, answers.nothing_more_than_asked, answers.nobody_is_doubled),
    "I10": (answers.refused_changes_nothing,),
    "I11": (order.nothing_is_told_early,),
    "I12": (
        broadcasts.seq_grows,
        broadcasts.gaps_are_healed,
        broadcasts.everybody_sees_the_same,
        broadcasts.nobody_misses_the_end,
    ),
    "I13": (order.reads_are_monotonic,),
    "I14": (tokens.tokens_open_their_own,),
    "I15": (walls.rooms_are_apart,),
    "I16": (
        alarms.alarms_ring_once,
        alarms.alarms_ring_in_time,
        alarms.no_alarm_is_forgotten,
        alarms.matches_end_once,
        alarms.match_end_is_told_once,
    ),
}
OF_THE_RUN: dict[str, tuple[OfRun, ...]] = {
    "I9": (answers.equal_answers,),
    "I15": (walls.strangers_hear_nothing,),
    "I17": (residue.nothing_is_left,),
    "I19": (residue.trouble_has_a_reason,),
}


def violations(history: History, secrets: Sequence[str] = ()) -> list[Violation]:
    """Everything that was broken, by invariant."""
    found = [Violation("I18", what) for what in residue.no_secret_is_told(history, secrets)]
    for invariant, of_run in OF_THE_RUN.items():
        found += [Violation(invariant, what) for check in of_run for what in check(history)]
    for case in cases(history):
        for invariant, of_room in OF_A_ROOM.items():
            found += [
                Violation(invariant, f"{case.room}: {what}")
                for check in of_room
                for what in check(case)
            ]
    return sorted(found, key=lambda one: int(one.invariant[1:]))
