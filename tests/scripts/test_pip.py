"""Which of the caller's settings for pip ours takes."""

import os
import sys
from pathlib import Path

import pytest

from scripts.lib.pip import BadPipSettings, pip_environ, plain_environ

OWN = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def taken(tmp_path: Path, text: str = "", **environ: str) -> dict[str, str]:
    """What is taken of a pip.conf and these variables; the machine's own files count too."""
    (tmp_path / "pip.conf").write_text(text)
    place = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "HOME": str(tmp_path)}
    found = pip_environ(sys.executable, {**place, **environ})
    assert found.items() >= OWN.items()
    return {name: value for name, value in found.items() if name not in {*OWN, "HOME"}}


def test_the_way_to_the_packages_is_taken_from_files_and_variables(tmp_path):
    text = "[global]\nindex-url = https://ann:p%40ss@index.example/simple\nproxy = http://p:1\n"
    ways = taken(tmp_path, text, PIP_TRUSTED_HOST="index.example", PIP_PROXY="http://p:2")
    assert ways["PIP_INDEX_URL"] == "https://ann:p%40ss@index.example/simple"
    assert ways["PIP_TRUSTED_HOST"] == "index.example"
    assert ways["PIP_PROXY"] == "http://p:2"


def test_a_section_of_the_command_is_stronger_than_the_global_one(tmp_path):
    text = "[install]\nretries = 7\n[global]\nretries = 3\n[download]\nretries = 9\n"
    assert taken(tmp_path, text)["PIP_RETRIES"] == "7"


@pytest.mark.parametrize("name", ["user", "target", "constraint", "no-binary", "python", "pre"])
def test_what_and_where_to_install_is_not(tmp_path, name):
    variable = f"PIP_{name.upper().replace('-', '_')}"
    assert variable not in taken(tmp_path, f"[global]\n{name} = 1\n", **{variable: "1"})


def test_settings_that_would_silence_the_list_do_not(tmp_path):
    text = "[global]\nquiet = 3\nuser = yes\nretries = 7\nlog = /nowhere/log\n"
    assert taken(tmp_path, text, PIP_QUIET="2")["PIP_RETRIES"] == "7"


def test_no_files_is_no_settings(tmp_path):
    environ = {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "7", "PATH": "/bin"}
    assert pip_environ(sys.executable, environ) == {**OWN, "PIP_RETRIES": "7", "PATH": "/bin"}


def test_a_file_that_pip_cannot_read_is_named(tmp_path):
    with pytest.raises(BadPipSettings, match=r"pip\.conf"):
        taken(tmp_path, "nothing in brackets\n")


def test_what_python_reads_in_the_environment_is_left_out():
    ours = {"PATH": "/bin", "HTTPS_PROXY": "http://p:1", "SSL_CERT_FILE": "/c", "LANG": "C"}
    theirs = ["PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"]
    assert plain_environ({**ours, **dict.fromkeys([*theirs, "PIP_USER"], "/x")}) == ours
