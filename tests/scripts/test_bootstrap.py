"""The environment in `.venv`, made in a folder of its own, from pins that need no index."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from scripts.lib.bootstrap import ROOT, CannotInstall, Venv
from tests.support.services import LEFT_OUT


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    (tmp_path / "requirements.txt").write_text("# no pins\n")
    return Venv(tmp_path)


def finished(venv: Venv) -> None:
    """As after an installation, at no cost."""
    venv.python.parent.mkdir(parents=True)
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    venv.python.symlink_to(base)
    (venv.folder / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
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


@pytest.mark.parametrize("program", ["#!/bin/sh\nexit 127\n", "no program"])
def test_a_python_that_does_not_run_makes_it_stale(venv, program):
    finished(venv)
    venv.python.unlink()
    venv.python.write_text(program)
    venv.python.chmod(0o755)
    assert not venv.ready


def test_a_python_of_no_environment_makes_it_stale(venv):
    finished(venv)
    (venv.folder / "pyvenv.cfg").unlink()
    assert not venv.ready


@pytest.mark.parametrize("pins", ["# no pins\n", "# other pins\n"])
def test_a_link_to_the_environment_of_another_checkout_is_refused_and_not_followed(
    venv, tmp_path, pins
):
    other = Venv(tmp_path / "other")
    other.folder.parent.mkdir()
    other.requirements.write_text(pins)
    finished(other)
    venv.folder.symlink_to(other.folder)
    with pytest.raises(CannotInstall, match=r"\.venv is a symbolic link, .*; remove the link: "):
        venv.ensure()
    assert other.ready


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/nowhere")])
def test_what_is_no_folder_is_not_touched(venv, make):
    make(venv.folder)
    with pytest.raises(CannotInstall, match=r"remove (it|the link)"):
        venv.ensure()
    assert venv.folder.is_symlink() or venv.folder.is_file()


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


def wheel(folder: Path) -> str:
    """A package of one module; returns its pin."""
    info = "greenroom_probe-1.0.dist-info"
    files = {
        "greenroom_probe.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: greenroom-probe\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with ZipFile(folder / "greenroom_probe-1.0-py3-none-any.whl", "w") as packed:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            packed.writestr(name, text)
    return "greenroom-probe==1.0\n"


HOSTILE = {
    "user": "1",
    "target": "{elsewhere}",
    "prefix": "{elsewhere}",
    "root": "{elsewhere}",
    "dry-run": "1",
    "require-hashes": "1",
    "no-binary": ":all:",
    "constraint": "{elsewhere}/constraints.txt",
    "requirement": "{elsewhere}/requirements.txt",
    "quiet": "3",
    "log": "{elsewhere}/log",
}


@pytest.mark.parametrize("place", ["variables", "file"])
def test_the_callers_settings_for_pip_and_python_change_nothing(venv, tmp_path, place):
    elsewhere, wheels = tmp_path / "elsewhere", tmp_path / "wheels"
    elsewhere.mkdir()
    wheels.mkdir()
    venv.requirements.write_text(wheel(wheels))
    ways = {"no-index": "1", "find-links": str(wheels)}  # what is to be taken
    said = {**ways, **{name: text.format(elsewhere=elsewhere) for name, text in HOSTILE.items()}}
    (elsewhere / "sitecustomize.py").write_text("raise SystemExit('not ours')")
    (elsewhere / "pip.conf").write_text(
        "[install]\n" + "".join(f"{name} = {text}\n" for name, text in said.items())
    )
    variables = {f"PIP_{name.upper().replace('-', '_')}": text for name, text in said.items()}
    given = {"variables": variables, "file": {"PIP_CONFIG_FILE": str(elsewhere / "pip.conf")}}
    code = (
        "import os, pathlib, scripts.lib.bootstrap as b;"
        f"os.environ['PYTHONPATH'] = {str(elsewhere)!r};"
        f"b.Venv(pathlib.Path({str(tmp_path)!r})).ensure()"
    )
    made = subprocess.run(
        [ROOT / "scripts" / "lib" / "python", "-c", code],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONHOME": "/nowhere",
            "PYTHONSAFEPATH": "1",
            "PYTHONUSERBASE": str(elsewhere),
            "VIRTUAL_ENV": str(elsewhere),
            **given[place],
        },
        capture_output=True,
        text=True,
    )
    assert (made.returncode, made.stderr.count("\n")) == (0, 1), made.stderr
    assert [*venv.folder.glob("lib/python3.*/site-packages/greenroom_probe.py")]
    assert {one.name for one in elsewhere.iterdir()} == {"pip.conf", "sitecustomize.py"}


def test_pip_settings_that_cannot_be_read_are_a_sentence(venv, tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_text("no section = 1\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with pytest.raises(CannotInstall, match=r"^pip can't read its settings\. .*no section header"):
        venv.ensure()
    assert not venv.ready


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk of its own."""
    folder = Path(tempfile.mkdtemp(prefix="greenroom-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip(LEFT_OUT + "root, to mount a small disk")
    (folder / "requirements.txt").write_text("# no pins\n")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_is_a_sentence_and_leaves_no_stamp(disk):
    with pytest.raises(
        CannotInstall, match=r"could not be made\. .* The disk has [01] MiB left\.$"
    ):
        Venv(disk).ensure()
    assert not Venv(disk).ready


def test_a_checkout_that_is_read_only_is_a_sentence(disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(CannotInstall, match=r"can't be written to, and \.venv belongs there"):
        Venv(disk).ensure()


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
