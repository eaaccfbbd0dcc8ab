"""The SQLite file is deleted, or another one takes its place, while both tiers run on it."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import places
from tests.support.servers import server, until
from tests.support.site import Site, refusal

NOTICED_S = 60  # a guard against a hang; it is a second and a half by the clock
SENTENCE = "the SQLite file was deleted or replaced under this process"


@pytest.fixture
def site(any_migrated, tmp_path):
    with ExitStack() as stack:
        database = stack.enter_context(any_migrated.copy(tmp_path))
        environ = {**database.environ, **places(), "RATE_LIMITS": "off"}
        realtime = stack.enter_context(server("realtime", environ, tmp_path))
        environ["REALTIME_URL"] = realtime.url
        lobby = stack.enter_context(server("lobby", environ, tmp_path))
        yield Site(realtime, database, lobby)


def delete(file: Path) -> None:
    file.unlink()


def restore(file: Path) -> None:
    """A backup of the empty database takes the place of the file."""
    backup = file.with_name("backup")
    backup.rename(file)


@pytest.mark.parametrize("lose", [delete, restore])
def test_nothing_is_acknowledged_and_both_say_why(site, lose):
    file = site.database.file
    shutil.copy(file, file.with_name("backup"))
    room = site.create("alice").json()
    assert site.join(room["roomId"], "bob").status_code == 200
    lose(file)
    if lose is delete:  # it is noticed though nobody calls
        until(lambda: SENTENCE in site.realtime.said, NOTICED_S)
    assert refusal(site.join(room["roomId"], "carol")) == (503, "STORAGE_UNAVAILABLE")
    ready = site.http.get(site.realtime.url + "/readyz")
    assert ready.status_code == 503
    assert SENTENCE in ready.json()["checks"]["database"]
    assert site.http.get(site.realtime.url + "/healthz").status_code == 200
    until(lambda: SENTENCE in site.realtime.said, NOTICED_S)
    assert refusal(site.summary(room["roomId"])) == (503, "STORAGE_UNAVAILABLE")
    assert site.http.get(site.lobby.url + "/status").status_code == 503
    if lose is delete:
        ready = site.http.get(site.lobby.url + "/readyz").json()
        assert (ready["status"], ready["checks"]["realtime"]) == ("degraded", "not ready")
        assert ready["checks"]["database"] == "the SQLite file is gone"
        assert not file.exists(), "an empty file took its place"
    assert "Traceback" not in site.realtime.said
