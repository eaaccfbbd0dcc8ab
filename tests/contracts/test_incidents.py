"""What is a bug, and what only looks like one."""

import errno

import pytest

from contracts import incidents
from contracts.complaints import Complaints
from contracts.errors import Code
from contracts.incidents import report


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(incidents, "without_files", Complaints("requests", lambda: 100.0))


def test_a_bug_has_a_number_that_both_sides_know(caplog):
    error = report(KeyError("what a player wrote"), "lobby")
    assert error.code is Code.INTERNAL_ERROR
    assert error.message.partition("error ")[2].rstrip(")") in caplog.text
    assert "wrote" not in caplog.text


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_that_no_file_can_be_opened_is_none_and_logged_seldom(caplog, number):
    for _ in range(100):
        error = report(OSError(number, "Too many open files"), "lobby")
        assert (error.code, error.status) == (Code.STORAGE_UNAVAILABLE, 503)
        assert error.headers == {"Retry-After": "1"}
    assert len(caplog.records) == 1


def test_another_error_of_the_system_is_a_bug():
    assert report(OSError(errno.EIO, "Input/output error"), "lobby").code is Code.INTERNAL_ERROR
