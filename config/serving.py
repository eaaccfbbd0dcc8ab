"""How both tiers are served: uvicorn's settings, and the process's own."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from contextlib import suppress
from typing import Any, cast

import uvicorn

from config.descriptors import LOOK_EVERY_S, DescriptorWatch
from config.http.protocol import http_protocol

GARBAGE_THRESHOLDS = (50_000, 20, 50)
FILES_MAX = 65_536  # that a process asks for: each socket is one


def server_config(application: str, host: str, port: int, **more: Any) -> uvicorn.Config:
    """What both tiers have in common. No proxy is believed and no request logged here."""
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", http_protocol),
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",  # below it uvicorn logs queries, which may hold tokens
        server_header=False,
        proxy_headers=False,
        callback_notify=DescriptorWatch(),
        timeout_notify=LOOK_EVERY_S,
        **more,
    )


def tune_process() -> None:
    """Let the process do more at a time: 504 to 387 us a request, both tiers on one core.

    What is loaded is never garbage, and what a request makes is freed by its last reference. Linux
    lets a woken process interrupt the one that woke it; with both tiers on one core that hands
    requests over one by one, and every commit round is small. SCHED_BATCH lets the running one
    finish first.
    """
    allow_files()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def allow_files() -> None:
    """As many open files as this user may have. Shells often allow 1,024, and mean programs that
    use select(), which we don't."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS: a kernel's own limit may be lower
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
