"""What a run says about tests that lacked a service."""

import pytest

from tests.support.services import POSTGRESQL, REDIS, leave_out, left_out


def test_one_line_counts_what_each_absent_service_cost(monkeypatch):
    monkeypatch.delenv("GREENROOM_TEST_COMPLETE", raising=False)
    reasons = ["not on this system"]
    for service in (POSTGRESQL, REDIS, POSTGRESQL):
        with pytest.raises(pytest.skip.Exception) as skipped:
            leave_out(service)
        reasons.append(str(skipped.value))
    assert left_out(reasons) == f"without {POSTGRESQL}: 2; without {REDIS}: 1"


def test_nothing_is_said_when_nothing_is_left_out():
    assert left_out(["not on this system"]) == ""


def test_where_all_must_run_an_absent_service_is_a_failure(monkeypatch):
    monkeypatch.setenv("GREENROOM_TEST_COMPLETE", "1")
    with pytest.raises(pytest.fail.Exception, match=r"PostgreSQL .* nothing may be left out"):
        leave_out(POSTGRESQL)
