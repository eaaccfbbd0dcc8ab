"""Whether a ratio is reached is judged round by round."""

from benchmarks.claims import CLAIMS, SQLITE, Claim, judged, ratio_of
from benchmarks.compare import FIELD, PEERS
from benchmarks.contests import CPU, DELIVERIES, MEMORY, Measured, contests
from benchmarks.others import services

FASTER = Claim("burst", ("ws",), 10, DELIVERIES)
FASTER_THAN_BOTH = Claim("burst", ("Channels, Redis", "Channels, memory"), 300, DELIVERIES)
SMALLER = Claim("idle", ("ws",), 2, MEMORY, at_most=True)
CHEAPER = Claim("paced", ("ws",), 0.85, CPU, at_most=True)


def rounds(*values, figure=DELIVERIES):
    return [Measured({figure: value}, {"realtime": value}) for value in values]


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    field = {SQLITE: rounds(100, 200, 300), "ws": rounds(10, 10, 60)}
    assert ratio_of(FASTER, field) == 10
    assert FASTER.is_reached(10)
    assert not FASTER.is_reached(9.99)


def test_of_several_peers_the_better_one_of_each_round_counts():
    field = {
        SQLITE: rounds(600, 600),
        "Channels, Redis": rounds(1, 3),
        "Channels, memory": rounds(2, 1),
    }
    assert ratio_of(FASTER_THAN_BOTH, field) == 250
    del field["Channels, memory"]
    assert ratio_of(FASTER_THAN_BOTH, field) == 400


def test_of_cost_there_may_be_only_so_much():
    field = {SQLITE: rounds(30, figure=MEMORY), "ws": rounds(10, figure=MEMORY)}
    assert ratio_of(SMALLER, field) == 3
    assert not SMALLER.is_reached(3)
    assert SMALLER.is_reached(2)
    assert ratio_of(CHEAPER, field) == 3


def test_what_was_not_measured_is_said_to_be_so():
    lines = judged({"paced": {SQLITE: rounds(30)}}).splitlines()
    assert len(lines) == 2 + sum(claim.contest == "paced" for claim in CLAIMS)
    assert all("not measured" in line for line in lines[2:])


def test_who_is_claimed_about_is_measured_at_it():
    known, held = services(), contests(seconds=1, idle=3000)
    assert set(PEERS) == set(known)
    for claim in CLAIMS:
        ours, theirs = FIELD[claim.contest]
        assert claim.ours in ours
        assert set(claim.beside) <= {known[name].name for name in theirs}
        assert claim.figure in {CPU, *held[claim.contest].decimals}
