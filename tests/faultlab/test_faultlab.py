"""Each fault that strikes running services while clients are at work: no promise is broken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

import pytest

from tests.faultlab import looks
from tests.faultlab.campaign import Plan, campaign, table
from tests.faultlab.cluster import cluster, missing
from tests.faultlab.crowd import come_to_a_lost_version, fill, share_names
from tests.faultlab.faults import Fault, Lab, crash_postgres
from tests.faultlab.load import eventually
from tests.faultlab.part import Course, judge, run_part
from tests.faultlab.scenarios import SCENARIOS
from tests.support.services import leave_out

PROCESSES = 2
STOP_S = 4.0  # the long run's is 30 s
MUCH = 100
TRIES = 6  # a bug of chance may not show at once
LONG_ROUNDS = {"none": 1, "kill": 200, "postgres": 20, "redis": 20, "stop": 20}


class Planted(NamedTuple):
    """A bug of the service, the faults that bring it to light, and promises that it breaks."""

    bug: str
    breaks: frozenset[str]
    strikes: tuple[Fault, ...] = ()
    module: str = "tests.faultlab.planted"
    processes: int = 1
    meanwhile: Callable[[Lab], Awaitable[None]] = share_names

    @property
    def program(self):
        return ("-m", self.module, self.bug)


PLANTED = [
    Planted("AcknowledgesEarly", frozenset({"I1", "I11"}), module="tests.support.broken_realtime"),
    Planted("takes_lower_case_for_a_name", frozenset({"I3"})),
    Planted("trusts_its_memory", frozenset({"I1"}), (crash_postgres,)),
    Planted(
        "takes_a_version_for_an_identity",
        frozenset({"I1"}),
        processes=2,
        meanwhile=come_to_a_lost_version,
    ),
    Planted("forgets_whose_turn_it_was", frozenset({"I1", "I6", "I7", "I19"}), processes=2),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Storage of its own and real services: a fault of one test is over when it ends."""
    if absent := missing():
        leave_out(absent)
    with cluster(PROCESSES, tmp_path_factory.mktemp("lab")) as running:
        yield running


def test_without_faults_everything_is_heard_and_nothing_is_left(site, tmp_path):
    file = tmp_path / "calm.jsonl"
    course = Course("none", peace_s=5, rest_s=15, meanwhile=much_is_granted)
    work = run_part(site, course, file, Random(1))
    part = judge(asyncio.run(work), file)
    assert not part.broken, part.verdict
    assert part.outcomes["ok"] > MUCH


async def much_is_granted(lab):
    await eventually(lambda: lab.history.outcomes["ok"] > MUCH)


def test_300_joins_through_every_process_fill_99_places(site, tmp_path):
    file, filled = tmp_path / "crowd.jsonl", []

    async def crowd(lab):
        filled.append(await fill(lab))

    work = run_part(site, Course("crowd", rooms=0, meanwhile=crowd), file, Random(1))
    part = judge(asyncio.run(work), file)
    ((admitted, heard),) = filled
    assert admitted == 98
    assert len(set(heard)) == 1
    assert not part.broken, part.verdict


def test_what_was_lost_is_not_written_over_what_came_after(site, tmp_path):
    file = tmp_path / "lost.jsonl"
    course = Course("lost", rooms=0, meanwhile=come_to_a_lost_version)
    part = judge(asyncio.run(run_part(site, course, file, Random(1))), file)
    assert not part.broken, part.verdict
    assert part.outcomes["ok"] >= 4


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.row)
def test_the_row(site, scenario, tmp_path, long):
    """With --long the times count as well, as multiples of what a start took in this run."""
    file = tmp_path / "history.jsonl"
    course = Course(scenario.row, scenario.strikes, STOP_S, scenario.enough)
    part = judge(asyncio.run(run_part(site, course, file, Random(1))), file, keep=True)
    assert not part.broken, part.verdict
    shown = [*scenario.looks, *(scenario.long_looks if long else ())]
    seen = looks.Seen(file, site.slowness)
    assert [found for look in shown if (found := look(seen))] == []
    if long:
        assert part.worst_recovery_s <= scenario.recovers_within_s * site.slowness
        assert part.converged_s <= scenario.converges_within_s * site.slowness


@pytest.mark.parametrize(
    "planted", [one for one in PLANTED if one.processes <= PROCESSES], ids=lambda one: one.bug
)
def test_a_planted_bug_is_noticed(planted, tmp_path):
    """The same lab, and a service that breaks its word."""
    if absent := missing():
        leave_out(absent)
    file = tmp_path / "history.jsonl"
    with cluster(planted.processes, tmp_path, program=planted.program) as site:
        course = Course(planted.bug, planted.strikes, peace_s=4, meanwhile=planted.meanwhile)
        for seed in range(TRIES):
            part = judge(asyncio.run(run_part(site, course, file, Random(seed))), file)
            if planted.breaks & part.broken.keys():
                return
    pytest.fail(part.verdict)


def test_the_long_run(long, tmp_path):
    if not long:
        pytest.skip("takes half an hour: --long, or python -m tests.faultlab")
    parts = list(campaign(Plan(LONG_ROUNDS, PROCESSES), tmp_path))
    assert not any(part.broken for part in parts), table(parts)
