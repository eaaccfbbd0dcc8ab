"""Whether this process may open one more file."""

from __future__ import annotations

import errno
import os

import pytest

from contracts.open_files import no_file_left
from tests.support.open_files import files_limited


def test_looking_leaves_no_file_open():
    with files_limited(0):
        assert no_file_left()
    with files_limited(256):
        assert not any(no_file_left() for _ in range(512))


@pytest.mark.parametrize(("number", "left"), [(errno.EMFILE, False), (errno.EACCES, True)])
def test_only_a_missing_descriptor_counts(monkeypatch, number, left):
    def refuses(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuses)
    assert (no_file_left() is None) == left
