import json

import pytest

from contracts.http1 import Answer
from contracts.readiness import state_of

DRAINING = {"status": "unavailable", "checks": {"draining": "this process is shutting down"}}
WELL = {"database": "ok", "migrations": "ok", "bus": "ok"}


def state(status, body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return state_of(Answer(status, {}, raw, keep_alive=True))


def error(code):
    return {"error": {"code": code, "message": "m"}}


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, {"status": "ok", "checks": WELL}, "ok"),
        (200, {"status": "ok"}, "ok"),
        (200, {"status": "degraded", "checks": WELL | {"bus": "Redis does not answer"}}, "ok"),
        (200, {"status": "degraded", "checks": {"sockets": "full"}}, "takes no sockets"),
        (503, DRAINING, "not ready"),
        (503, error("STORAGE_UNAVAILABLE"), "not ready"),
        (503, b"<html>of a proxy</html>", "not ready"),
        (401, error("UNAUTHORIZED"), "refuses the service key"),
        (401, b"", "refuses the service key"),
        (403, b"<html>of a gateway</html>", "refuses the service key"),
        (200, b"<html>Welcome to nginx!</html>", "answers nonsense"),
        (200, {"status": "fine"}, "answers nonsense"),
        (200, {}, "answers nonsense"),
        (404, error("NOT_FOUND"), "answers nonsense"),
        (500, b"", "answers nonsense"),
        (302, b"", "answers nonsense"),
    ],
)
def test_what_an_answer_says(status, body, found):
    assert state(status, body) == found
