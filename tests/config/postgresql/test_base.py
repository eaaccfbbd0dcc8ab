"""Django's connections to PostgreSQL, in programs of their own."""

import os
import subprocess
import sys

import pytest

from scripts.lib.bootstrap import ROOT
from tests.support.servers import bare_environ
from tests.support.services import need_postgresql

SHOW = """
import django, sys
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    for name in sys.argv[2:]:
        print(cursor.execute(f"SHOW {name}").fetchone()[0])
"""


def shown(*names, query="", command="check", **environ):
    """What settings a connection has in a program that was started so."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, command, *names],
        cwd=ROOT,
        env={
            **bare_environ(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": need_postgresql() + query,
            **environ,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
OPTIONS = "?options=-c%20search_path%3Dpublic%20-c%20statement_timeout%3D0"


def test_options_of_the_url_are_joined_to_the_limits_which_win():
    assert shown("search_path", *LIMITS, query=OPTIONS) == ["public", "2s", "1s", "2s"]


def test_so_are_those_of_libpqs_own_variable():
    pgoptions = os.environ.get("PGOPTIONS", "") + " -c search_path=public -c lock_timeout=0"
    assert shown("search_path", *LIMITS, PGOPTIONS=pgoptions) == ["public", "2s", "1s", "2s"]


def test_a_migration_takes_the_time_it_takes():
    assert shown(*LIMITS, "datestyle", command="migrate") == ["0", "0", "0", "ISO, MDY"]


@pytest.mark.parametrize("query", ["?connect_timeout=77&client_encoding=LATIN1", ""])
def test_what_is_ours_to_say_stays_so(query):
    assert shown("client_encoding", "application_name", query=query) == ["UTF8", "greenroom pages"]
