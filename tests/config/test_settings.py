"""Django's settings as a whole, in processes of their own, as a deployment starts them."""

import os
import subprocess
import sys

from config.kinds import PROJECT

PRODUCTION = {
    "GREENROOM_ENV": "production",
    "GREENROOM_SERVICE_KEY": "k" * 40,
    "GREENROOM_SECRET_KEY": "abcdefgh" * 8,
    "DATABASE_URL": "postgresql://127.0.0.1/rooms",
}


def manage(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
    )


def test_a_well_set_up_production_has_nothing_to_be_told():
    checked = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert checked.stderr == ""
    assert checked.stdout.startswith("System check identified no issues")


def test_check_deploy_names_what_production_would_refuse():
    checked = manage("check", "--deploy", RATE_LIMITS="off")
    assert checked.returncode == 1
    for clause in (
        "GREENROOM_SERVICE_KEY is the development key.",
        "GREENROOM_SECRET_KEY is the development secret.",
        "RATE_LIMITS is off.",
    ):
        assert f"(greenroom.E001) {clause}" in checked.stderr


def test_a_bad_value_stops_manage_py_with_a_sentence():
    checked = manage("check", LOBBY_PORT="eight")
    assert (checked.returncode, checked.stderr.count("\n")) == (2, 1)
    assert checked.stderr.startswith("greenroom: LOBBY_PORT is 'eight'")


def test_data_in_a_place_that_is_no_folder_stops_it_too(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    checked = manage("check", GREENROOM_DATA=str(file))
    assert (checked.returncode, checked.stderr.count("\n")) == (2, 1)
    assert checked.stderr.startswith("greenroom: GREENROOM_DATA is no folder that can be used: ")
