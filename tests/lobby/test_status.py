import asyncio
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync

from contracts.errors import Code
from lobby import status
from lobby.asgi import LobbyApplication
from tests.support.realtime_double import says

KEPT_S = status.KEPT_S


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """The time, which only the test moves; nothing is known yet."""
    now = [100.0]
    monkeypatch.setattr(status, "monotonic", lambda: now[0])
    monkeypatch.setattr(status, "shared", status.SharedStates())
    return now


def told(answer):
    return answer.status_code, answer.json()


def test_with_a_realtime_service_that_is_ready(browser):
    assert told(browser.get("/status")) == (200, {"status": "ok"})


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_that_only_read(browser, method):
    assert browser.request(method, "/status").status_code in (200, 204)


FAULTS = {
    "refuses the key": lambda realtime: realtime.refuses(Code.UNAUTHORIZED),
    "is not ready": lambda realtime: realtime.refuses(Code.STORAGE_UNAVAILABLE),
    "is gone": lambda realtime: realtime.fails(httpx.ConnectError("refused")),
    "hangs": lambda realtime: realtime.fails(httpx.ReadTimeout("late")),
    "is full": lambda realtime: realtime.answers(
        says({"status": "degraded", "checks": {"sockets": "full"}})
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_with_one_that_does_not_serve_and_no_detail(browser, realtime, fault):
    fault(realtime)
    assert told(browser.get("/status")) == (503, {"status": "unavailable"})


def test_one_question_for_all_who_ask_at_once(browser, realtime):
    answers = async_to_sync(ask)(300)
    assert {answer.status_code for answer in answers} == {200}
    assert len(realtime.asked) == 1


def test_one_question_for_all_who_ask_within_two_seconds(browser, realtime, now):
    realtime.fails(httpx.ConnectError("refused"))
    for _ in range(3):
        assert browser.get("/status").status_code == 503
    now[0] += KEPT_S
    for _ in range(3):
        assert browser.get("/status").status_code == 200
    assert len(realtime.asked) == 2


def test_who_goes_away_leaves_the_others_their_answer(monkeypatch):
    shared, over = status.SharedStates(), asyncio.Event()

    async def hangs():
        await over.wait()
        return ["ok"]

    async def impatient():
        monkeypatch.setattr(status, "states", hangs)
        gone, stays = (asyncio.create_task(shared.states()) for _ in "12")
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        over.set()
        return await stays

    assert asyncio.run(impatient()) == ["ok"]


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["ok"], "ok"),
        (["ok", "ok"], "ok"),
        (["refuses the service key"], "refuses the service key"),
        (["ok", "unreachable"], "1 of 2 ok, 1 unreachable"),
        (["not ready", "not ready"], "0 of 2 ok, 2 not ready"),
        (
            ["not ready", "ok", "refuses the service key", "not ready"],
            "1 of 4 ok, 2 not ready, 1 refuses the service key",
        ),
    ],
)
def test_what_readyz_says_of_them(states, words):
    assert status.in_words(states) == words


async def ask(callers):
    """Everybody at once."""
    application: Any = LobbyApplication()
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await asyncio.gather(*(client.get("/status") for _ in range(callers)))
