"""A lobby that gives heads and bodies ten minutes: `python -m tests.support.patient_lobby`."""

from __future__ import annotations

import runpy

from config.http import protocol
from contracts import bodies

PATIENT_S = 600.0

if __name__ == "__main__":
    for module, name in (
        (bodies, "BODY_WITHIN_S"),
        (protocol, "BODY_WITHIN_S"),
        (protocol, "HEAD_WITHIN_S"),
    ):
        assert hasattr(module, name)
        setattr(module, name, PATIENT_S)
    runpy.run_module("lobby", run_name="__main__")
