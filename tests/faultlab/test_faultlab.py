"""Each fault that strikes running services while clients are at work: no promise is broken."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.faultlab import looks
from tests.faultlab.campaign import Plan, campaign, table
from tests.faultlab.cluster import cluster, missing
from tests.faultlab.part import judge, run_part
from tests.faultlab.scenarios import SCENARIOS
from tests.support.services import leave_out

PROCESSES = 1
STOP_S = 4.0  # the long run's is 30 s
LONG_ROUNDS = {"none": 1, "kill": 200, "postgres": 20, "redis": 20, "stop": 20}
LIAR = ("-m", "tests.support.broken_realtime", "AcknowledgesEarly")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Storage of its own and real services: a fault of one test is over when it ends."""
    if absent := missing():
        leave_out(absent)
    with cluster(PROCESSES, tmp_path_factory.mktemp("lab")) as running:
        yield running


def test_without_faults_everything_is_heard_and_nothing_is_left(site, tmp_path):
    file = tmp_path / "calm.jsonl"
    work = run_part(site, "none", [], file, Random(1), peace_s=5, rest_s=15)
    part = judge(asyncio.run(work), file)
    assert not part.broken, part.verdict
    assert part.outcomes["ok"] > 100


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.row)
def test_the_row(site, scenario, tmp_path):
    file = tmp_path / "history.jsonl"
    work = run_part(site, scenario.row, scenario.strikes, file, Random(1), stop_s=STOP_S)
    part = judge(asyncio.run(work), file, keep=True)
    assert not part.broken, part.verdict
    assert part.worst_recovery_s <= scenario.recovers_within_s
    assert part.converged_s <= scenario.converges_within_s
    seen = looks.Seen(file)
    assert [found for look in scenario.looks if (found := look(seen))] == []


def test_an_acknowledgement_before_its_commit_would_be_noticed(tmp_path):
    """The same lab, and a service that breaks its word."""
    if absent := missing():
        leave_out(absent)
    file = tmp_path / "liar.jsonl"
    with cluster(1, tmp_path, program=LIAR) as site:
        part = asyncio.run(run_part(site, "kill", [], file, Random(1), peace_s=3))
    assert {"I1", "I11"} & judge(part, file).broken.keys()


def test_the_long_run(long, tmp_path):
    if not long:
        pytest.skip("takes half an hour: --long, or python -m tests.faultlab")
    parts = list(campaign(Plan(LONG_ROUNDS, PROCESSES), tmp_path))
    assert not any(part.broken for part in parts), table(parts)
