"""What DATABASE_URL may say behind the ?, and what comes of it."""

import sys

import pytest

from config import kinds
from config.env import BadEnvironment
from config.postgresql.keywords import session_settings
from config.settings import postgresql

URL = "postgresql://ann:hush@db.example/rooms"


def options(query, url=URL):
    return postgresql(kinds.DATABASE.parse(f"{url}?{query}"))["OPTIONS"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("-c search_path=public", {"search_path": "public"}),
        ("-csearch_path=public  --work-mem=64MB", {"search_path": "public", "work_mem": "64MB"}),
        (r"-c search_path=a,\ b", {"search_path": "a, b"}),
        ("-c app.tenant=x=y", {"app.tenant": "x=y"}),
        ("-c Statement_Timeout=0", {"statement_timeout": "0"}),
        ("", {}),
    ],
)
def test_options_are_session_settings(said, meant):
    assert session_settings(said) == meant


@pytest.mark.parametrize("said", ["-d 5", "search_path=public", "-c", "-c search_path", "-- x=1"])
def test_other_options_are_refused(said):
    with pytest.raises(BadEnvironment, match=r"must be like -c search_path=public"):
        session_settings(said)


def test_they_are_joined_to_the_limits_which_win():
    said = options("options=-c%20search_path%3Dpublic%20-c%20statement_timeout%3D0")
    assert said["session"] == {
        "search_path": "public",
        "statement_timeout": "2000",
        "lock_timeout": "1000",
        "idle_in_transaction_session_timeout": "2000",
    }
    assert "options" not in said


def test_a_migration_has_theirs_alone(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["manage.py", "migrate"])
    assert options("options=-c%20lock_timeout%3D5s")["session"] == {"lock_timeout": "5s"}


@pytest.mark.parametrize(
    "keyword", ["sslmode", "sslrootcert", "target_session_attrs", "hostaddr", "service", "passfile"]
)
def test_where_to_go_and_how_is_handed_on(keyword):
    assert options(f"{keyword}=something")[keyword] == "something"


@pytest.mark.parametrize(
    "keyword",
    ["connect_timeout", "tcp_user_timeout", "keepalives", "keepalives_idle", "client_encoding"],
)
def test_what_is_ours_to_say_is_left_out(keyword):
    assert keyword not in options(f"{keyword}=77")


def test_so_is_the_name_of_an_application():
    assert options("application_name=theirs")["application_name"] == "greenroom pages"


@pytest.mark.parametrize(
    "keyword",
    [
        "autocommit",
        "isolation_level",
        "pool",
        "server_side_binding",
        "prepare_threshold",
        "replication",
        "session",
        "assume_role",
        "schema",
        "sslmod",
    ],
)
def test_what_libpq_does_not_know_or_breaks_us_is_refused(keyword):
    with pytest.raises(BadEnvironment, match=rf"^DATABASE_URL has '{keyword}' behind the \?"):
        options(f"{keyword}=hush")


@pytest.mark.parametrize("keyword", ["host", "user", "password", "dbname"])
def test_nothing_is_named_twice(keyword):
    with pytest.raises(BadEnvironment, match=f"names its {keyword} twice") as refused:
        options(f"{keyword}=hush")
    assert "hush" not in str(refused.value)


def test_a_host_may_stand_behind_the_question_mark_alone():
    assert options("host=/run/postgresql", url="postgresql:///rooms")["host"] == "/run/postgresql"
