"""The figures of `benchmarks/run crowds`."""

from benchmarks.crowds import Delays


def test_delays_are_told_by_the_middle_the_late_and_the_latest():
    seconds = [0.001] * 980 + [0.01] * 19 + [0.5]
    assert str(Delays.of(seconds)) == "1.0 / 10.0 / 500.0 ms"
