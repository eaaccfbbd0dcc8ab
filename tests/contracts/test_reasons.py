"""Reasons by kind: from an exception or what it came from, without what it says besides."""

import sqlite3
from contextlib import closing

import pytest

from contracts.reasons import database_reason, redis_reason


def test_what_nobody_knows_is_told_by_its_type_alone():
    assert redis_reason(ValueError("redis://:sesame@db.internal")) == "fails (ValueError)"
    assert database_reason(ValueError("user sesame at db.internal")) is None


def test_the_reason_may_be_what_it_came_from():
    outer = RuntimeError("Error -2 connecting to db.internal:6379")
    outer.__cause__ = ConnectionRefusedError("[Errno 111]")
    assert redis_reason(outer) == "refuses the connection"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('FATAL:  database "SSL" does not exist', "is not there"),
        ('FATAL:  role "too many" does not exist', "refuses the user or the password"),
        ('FATAL:  password authentication failed for user "x"', "refuses the user or the password"),
        ("FATAL:  sorry, too many clients already", "has no connection left"),
        ("FATAL:  remaining connection slots are reserved", "has no connection left"),
        ("FATAL:  the database system is starting up", "is starting"),
        ("FATAL:  the database system is shutting down", "is stopping"),
        ("server does not support SSL, but SSL was required", "does not speak TLS as asked"),
        ("SSL error: certificate verify failed", "has a certificate that is not trusted"),
    ],
)
def test_postgresqls_words(said, reason):
    problem = OSError(f'connection to server at "10.0.0.7", port 5432 failed: {said}')
    assert database_reason(problem) == reason


def test_a_file_that_is_no_database(tmp_path):
    file = tmp_path / "rooms.sqlite3"
    file.write_bytes(b"no database" * 1000)
    with closing(sqlite3.connect(file)) as connection, pytest.raises(sqlite3.Error) as told:
        connection.execute("SELECT * FROM sqlite_master")
    assert database_reason(told.value) == "is damaged"


def test_a_file_in_a_folder_that_is_gone(tmp_path):
    with pytest.raises(sqlite3.Error) as told:
        sqlite3.connect(tmp_path / "gone" / "rooms.sqlite3")
    assert database_reason(told.value) == "can't be opened"
