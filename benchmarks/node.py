"""Where a peer's packages are installed, and which they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.load import NoFigures

PACKAGES = ("@colyseus/core", "@colyseus/ws-transport", "express")


def folder() -> Path:
    """What BENCH_NODE names. Raises NoFigures when Node.js or one of the packages is missing."""
    found = Path(os.environ.get("BENCH_NODE", ""))
    if not shutil.which("node"):
        raise NoFigures("there is no node, and the peer runs on it.")
    if not all((found / "node_modules" / package).exists() for package in PACKAGES):
        raise NoFigures(
            f"BENCH_NODE must name a folder with {', '.join(PACKAGES)} in its node_modules; "
            "benchmarks/README.md says how to make one."
        )
    return found.resolve()


def versions() -> str:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    manifests = [folder() / "node_modules" / package / "package.json" for package in PACKAGES]
    read = [json.loads(manifest.read_text()) for manifest in manifests]
    return ", ".join(
        [f"Node {node.stdout.strip()}", *(f"{p['name']} {p['version']}" for p in read)]
    )
