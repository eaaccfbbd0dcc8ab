"""Our reader of frames beside those of `websockets` and `wsproto`.

What differs is in `tests.framelab.differences`, each with its reason; anything else is a failure.
`scripts/test --long` tries a million mutations, and `python -m tests.framelab` as many as you like.
"""

from __future__ import annotations

import pytest

from tests.framelab.cases import THEMES, streams
from tests.framelab.comparison import depends_on_reads, unexplained
from tests.framelab.differences import KNOWN
from tests.framelab.fuzz import fuzz
from tests.framelab.planted import PLANTED, planted
from tests.framelab.readers import PEERS

MUTATIONS, MANY_MUTATIONS = 20_000, 1_000_000
LONG = 2000  # bytes: the others take seconds to read such byte by byte
WORST = 5000  # times the CPU that an input takes on average
GROWTH_BYTES = 16 << 20

LOOKS = (unexplained, depends_on_reads)


def name(one):
    return getattr(one, "__name__", None) or one.bug


@pytest.mark.parametrize("theme", THEMES, ids=name)
def test_others_make_the_same_of_it(theme):
    assert unexplained(streams(theme)) == []


@pytest.mark.parametrize("theme", THEMES, ids=name)
def test_it_is_the_same_however_it_is_cut_into_reads(theme):
    assert depends_on_reads(streams(theme)) == []


@pytest.mark.parametrize("make", PEERS.values(), ids=PEERS)
@pytest.mark.parametrize("theme", THEMES, ids=name)
def test_so_it_is_with_the_others(theme, make):
    short = [one for one in streams(theme) if len(one.sent) < LONG]
    assert depends_on_reads(short, make) == []


@pytest.fixture(scope="module")
def tally(long):
    return fuzz(MANY_MUTATIONS if long else MUTATIONS, seed=1)


def test_others_make_the_same_of_mutations(tally):
    assert tally.unexplained == []
    assert tally.by_reads == []


def test_mutations_cost_little_and_leave_nothing(tally):
    assert tally.worst_s < WORST * tally.spent_s / tally.inputs
    assert tally.grown_bytes < GROWTH_BYTES


def test_every_known_difference_is_met(tally):
    assert tally.differences.keys() == {(known.peer, known.what) for known in KNOWN}


@pytest.mark.parametrize("bug", PLANTED, ids=name)
def test_a_planted_bug_is_found(bug):
    broken = planted(bug)
    found = (look([one], broken) for look in LOOKS for theme in THEMES for one in streams(theme))
    assert any(found)
