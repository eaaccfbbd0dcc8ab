"""What the figures are taken on; without it they say nothing."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import time
from pathlib import Path
from statistics import median

import psycopg

from scripts.lib.bootstrap import ROOT
from tests.support.services import postgresql

LABEL_WIDTH = 12
DISK_TRIES = 200


def fact(label: str, text: str) -> None:
    print(f"{label:{LABEL_WIDTH}}{text}", flush=True)


def describe(folder: Path) -> None:
    """Print machine, commit, software and how durable a commit is; data lie in `folder`."""
    fact("machine", f"{processor()}, {os.cpu_count()} cores, {platform.system()} {kernel()}")
    fact("load", f"{os.getloadavg()[0]:.2f} in the minute before")
    fact("commit", commit())
    fact("software", f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    fact(
        "SQLite", "journal_mode=WAL, synchronous=FULL, as realtime/engine/sqlite_database.py has it"
    )
    fact("PostgreSQL", postgresql_settings())
    fact("disk", f"{file_system(folder)}; to write 4 KiB and fsync takes {fsync_ms(folder):.2f} ms")


def processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def kernel() -> str:
    return platform.release().partition("-")[0]


def commit() -> str:
    """The commit, and whether the files are those of it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--abbrev=9", "--dirty= and changes"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return told.stdout.strip() or "unknown"


def postgresql_settings() -> str:
    url = postgresql()
    if not url:
        return "does not answer: left out"
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
    with psycopg.connect(url) as server:
        values = [server.execute(f"SHOW {name}").fetchall()[0][0] for name in names]
    version, *switches = zip(names, values, strict=True)
    return ", ".join([version[1].split()[0], *("=".join(switch) for switch in switches)])


def file_system(folder: Path) -> str:
    """Its type: that of the mount whose device the folder is on."""
    device = folder.stat().st_dev
    place = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, kind = line.partition(" - ")
        if mount.split()[2] == place:
            return kind.split()[0]
    return "unknown file system"


def fsync_ms(folder: Path) -> float:
    """How long a small durable write takes: a disk that lies about it shows here."""
    took = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(DISK_TRIES):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return median(took)
