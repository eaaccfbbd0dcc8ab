"""What `benchmarks/run frames` hands to readers is read by each of them."""

import pytest

from benchmarks.frames import READERS, READS, per_frame_us


@pytest.mark.parametrize("make", READERS.values(), ids=READERS)
def test_a_read_holds_so_many_frames(make):
    feed = make()
    assert [len(feed(data)) for data, _ in READS.values()] == [count for _, count in READS.values()]


def test_there_is_a_figure_for_each_kind_of_read():
    figures = per_frame_us(READERS["ours"], seconds=0.001)
    assert len(figures) == len(READS)
    assert all(us > 0 for us in figures)
