"""What docs/operations.md tells an operator to type, so that tests do it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from scripts.lib.bootstrap import ROOT
from tests.support.servers import bare_environ

DOCUMENT = ROOT / "docs" / "operations.md"
COMMANDS_WITHIN_S = 120


def section(title: str) -> str:
    """The text below a heading."""
    (found,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE
    )
    return found


def blocks(title: str) -> list[str]:
    """The indented blocks of a section, in order."""
    found = re.findall(r"(?:^    .*\n)+", section(title), re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def block(title: str, begins: str) -> str:
    """The one block of a section that begins so."""
    (found,) = (one for one in blocks(title) if one.startswith(begins))
    return found


def typed(commands: str, environ: Mapping[str, str], **instead: str) -> str:
    """Type commands into a shell, at the project's root, with other names instead of those that the
    document has. Returns what was printed."""
    for written, meant in instead.items():
        assert written in commands, f"the document has no {written}"
        commands = commands.replace(written, meant)
    done = subprocess.run(
        ["sh", "-euc", commands],
        cwd=ROOT,
        env={**bare_environ(), **environ},
        capture_output=True,
        text=True,
        timeout=COMMANDS_WITHIN_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
