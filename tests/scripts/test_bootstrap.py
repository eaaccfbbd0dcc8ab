"""The environment in `.venv`, made in a folder of its own, from pins that need no index."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.bootstrap import ROOT, CannotInstall, Venv


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    (tmp_path / "requirements.txt").write_text("# no pins\n")
    return Venv(tmp_path)


def finished(venv: Venv) -> None:
    """As after an installation, at no cost."""
    venv.python.parent.mkdir(parents=True)
    venv.python.symlink_to(sys.executable)
    venv.stamp.write_text(venv.fingerprint)


def test_a_finished_environment_is_ready(venv):
    finished(venv)
    assert venv.ready


def test_other_pins_make_it_stale(venv):
    finished(venv)
    venv.requirements.write_text("# other pins\n")
    assert not venv.ready


def test_another_python_makes_it_stale(venv):
    finished(venv)
    venv.stamp.write_text(venv.fingerprint.replace("3.", "4.", 1))
    assert not venv.ready


def test_a_python_that_went_away_makes_it_stale(venv):
    finished(venv)
    venv.python.unlink()
    venv.python.symlink_to("/nowhere/python3")
    assert not venv.ready


def test_an_interrupted_installation_is_done_anew_and_by_one_of_many(venv):
    half_done = venv.folder / "half-done"
    half_done.mkdir(parents=True)
    folder = repr(str(venv.folder.parent))
    code = f"import pathlib, scripts.lib.bootstrap as b; b.Venv(pathlib.Path({folder})).ensure()"
    command = [sys.executable, "-c", code]
    makers = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    said = [maker.communicate()[1] for maker in makers]
    assert [maker.returncode for maker in makers] == [0, 0]
    assert sorted(sentence.count("installing") for sentence in said) == [0, 1]
    assert venv.ready
    assert not half_done.exists()


def test_a_pin_that_cannot_be_had_is_a_sentence_and_leaves_no_stamp(venv):
    venv.requirements.write_text("nothing @ file:///nowhere/nothing-1-py3-none-any.whl\n")
    with pytest.raises(CannotInstall, match=r"could not be made\. ERROR: .*nowhere"):
        venv.ensure()
    assert not venv.ready


def test_a_bare_debian_is_told_what_to_install(venv, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(CannotInstall, match=rf"apt-get install python{version}-venv$"):
        venv.ensure()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project's folder with the finder in it, and a PATH without any Python in `bin`."""
    (tmp_path / "scripts" / "lib").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "lib" / "python", tmp_path / "scripts" / "lib")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dirname").symlink_to(shutil.which("dirname") or "/usr/bin/dirname")
    return tmp_path


def found(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "lib" / "python", "-c", "print('found')"],
        env={"PATH": str(checkout / "bin"), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
    )


def test_an_old_python3_is_passed_over_for_a_newer_name(checkout):
    old = checkout / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    newer = checkout / "bin" / "python3.12"
    newer.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    newer.chmod(0o755)
    assert found(checkout).stdout == "found\n"


def test_without_a_python_there_is_one_sentence(checkout):
    refused = found(checkout)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert "Python 3.11 to 3.14 is needed" in refused.stderr
