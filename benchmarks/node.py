"""Where the peers' packages are installed, and which they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

BUN = "bun"


def folder() -> Path:
    """What BENCH_NODE names."""
    return Path(os.environ.get("BENCH_NODE", "")).resolve()


def modules() -> Path:
    return folder() / "node_modules"


def lacks(*packages: str) -> str:
    """Why what needs these packages can't run here, as a clause; empty when it can."""
    if not shutil.which("node"):
        return "there is no node"
    if "BENCH_NODE" not in os.environ:
        return "BENCH_NODE names no folder with packages"
    missing = [package for package in packages if not (modules() / package).exists()]
    return f"BENCH_NODE has no {' and no '.join(missing)}" if missing else ""


def environ() -> dict[str, str]:
    """What a server of one of the packages starts with."""
    return {**os.environ, "NODE_PATH": str(modules()), "NODE_ENV": "production"}


def bun() -> str:
    return str(modules() / ".bin" / BUN)


def versions(packages: Sequence[str]) -> list[str]:
    """Of Node.js and of packages that are installed; of nothing when there are none."""
    if not packages:
        return []
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    manifests = [modules() / package / "package.json" for package in packages]
    read = [json.loads(manifest.read_text()) for manifest in manifests]
    return [f"Node {node.stdout.strip()}", *(f"{one['name']} {one['version']}" for one in read)]
