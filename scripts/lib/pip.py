"""Our pip, which takes from the caller's settings the way to the packages and nothing else.

A company's index, proxy or certificate lies in `PIP_*` variables and in files of pip's own, and we
need it. What else lies there says where or what to install (`user`, `target`, `constraint`, …), is
meant for other projects, and breaks ours.
"""

import ast
import os
import re
import subprocess
from collections.abc import Mapping

# What says how packages are reached; `use-feature` and `use-deprecated` choose the certificates.
WAYS = frozenset(
    {
        "index-url",
        "pypi-url",
        "extra-index-url",
        "find-links",
        "no-index",
        "trusted-host",
        "cert",
        "client-cert",
        "proxy",
        "timeout",
        "default-timeout",
        "retries",
        "keyring-provider",
        "cache-dir",
        "no-cache-dir",
        "use-feature",
        "use-deprecated",
    }
)
FOREIGN = ("VIRTUAL_ENV", "__PYVENV_LAUNCHER__")  # they name the caller's own environment
SECTIONS = ("global", "install", ":env:")  # each is stronger than those before it
# Settings of other commands that would change what `pip config list` lists, and how it is heard.
PLAINLY = {f"PIP_{name}": "0" for name in ("USER", "GLOBAL", "SITE", "QUIET", "VERBOSE")}
PLAINLY["PIP_LOG"] = os.devnull


class BadPipSettings(Exception):
    """pip cannot read the caller's settings; the message is its reason."""


def plain_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what Python and pip read in it."""
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(("PIP_", "PYTHON")) and name not in FOREIGN
    }


def pip_environ(python: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for the pip of `python`. Raises BadPipSettings."""
    ways = _ways(_listed(python, environ))
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**plain_environ(environ), **own, **ways}


def _ways(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that we take, as variables of pip's: a stronger section's value wins."""
    found: dict[str, str] = {}
    for section in SECTIONS:
        for key, value in settings.items():
            of_section, _, name = key.partition(".")
            if of_section == section and name in WAYS and value:
                found["PIP_" + name.upper().replace("-", "_")] = value
    return found


def _listed(python: str, environ: Mapping[str, str]) -> dict[str, str]:
    """All of the caller's settings, as pip reads them."""
    kept = {
        name: value
        for name, value in environ.items()
        if name == "PIP_CONFIG_FILE" or _setting(name) in WAYS
    }
    asked = subprocess.run(
        [python, "-m", "pip", "config", "list"],
        env=plain_environ(environ) | kept | PLAINLY | {"PIP_PYTHON": python},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if asked.returncode:
        raise BadPipSettings(" ".join(asked.stdout.split()) or "it said nothing")
    lines = re.findall(r"^([\w:.-]+)=('.*'|\".*\")$", asked.stdout, re.MULTILINE)
    return {name: str(ast.literal_eval(value)) for name, value in lines}


def _setting(variable: str) -> str:
    """The setting that a `PIP_*` variable is, or nothing."""
    if not variable.startswith("PIP_"):
        return ""
    return variable.removeprefix("PIP_").lower().replace("_", "-")
