import asyncio
import logging
from functools import partial

import msgspec
import pytest

from config import env
from contracts import client
from contracts.client import RealtimeClient
from contracts.errors import CATALOGUE, Code, Detail, RoomError
from contracts.http import CloseRoom, RegisterRequest, RemovePlayer, RetryAlarms
from contracts.limits import ANSWER_MAX_BYTES
from contracts.queries import LeaderboardQuery, MatchesQuery, RoomsQuery
from contracts.transport import KeepAliveTransport
from tests.support import faulty_realtime as faults
from tests.support.faulty_realtime import FaultyRealtime, admission, answer, says
from tests.support.loops import until
from tests.support.realtime_double import ENTRY, MATCH, STANDING, SUMMARY
from tests.support.virtual_time import held_clock

READS = {
    "rooms": (
        lambda client: client.rooms("chat", RoomsQuery("open", False, "a-b_c")),
        b"GET /parties/chat?status=open&hasSpace=false&cursor=a-b_c",
        {"rooms": [SUMMARY], "nextCursor": "x"},
    ),
    "all rooms": (
        lambda client: client.rooms("chat", RoomsQuery()),
        b"GET /parties/chat?",
        {"rooms": [], "nextCursor": None},
    ),
    "matches": (
        lambda client: client.matches("chat", "ROOM23", MatchesQuery(7)),
        b"GET /parties/chat/ROOM23/matches?limit=7",
        {"roomId": "ROOM23", "matches": [MATCH]},
    ),
    "match": (
        lambda client: client.match("m_1"),
        b"GET /matches/m_1",
        {"match": MATCH, "standings": [STANDING]},
    ),
    "leaderboard": (
        lambda client: client.leaderboard("leet99", LeaderboardQuery("day", 3)),
        b"GET /leaderboard?party=leet99&window=day&limit=3",
        {"window": "day", "entries": [ENTRY]},
    ),
}
ALICE = RegisterRequest("p_1", "pt_1", "alice", "player", is_host=True)
KEY = "a-service-key"
SILENT = Code.REALTIME_TIMEOUT
TRY_S = 0.3
CONNECT_S = 60.0  # a hang guard: tests of this limit have their own


def client_of(url, **given):
    defaults = {"try_timeout_s": TRY_S, "total_timeout_s": 0.65, "calls_max": 1000}
    transport = given.pop("transport", None) or KeepAliveTransport(CONNECT_S)
    return RealtimeClient([url], KEY, transport=transport, **{**defaults, **given})


async def register(client, room_id="ROOM23"):
    return await client.register("leet99", room_id, ALICE)


async def failure_of(client):
    with pytest.raises(RoomError) as caught:
        await register(client)
    return caught.value


def has_asked(server, times: int) -> bool:
    return len(server.requests) == times


async def failure_after(client, server, *tries_s):
    """How a call fails whose tries last so long each, and no longer."""
    clock, call = held_clock(), asyncio.create_task(failure_of(client))
    for number, lasts_s in enumerate(tries_s, 1):
        await clock.until(partial(has_asked, server, number))
        if number == len(tries_s):
            await clock.ends_after(call, lasts_s)
        else:
            await clock.passes(lasts_s)
    return call.result()


def refusal(code, message="", **more):
    status = CATALOGUE[code].status
    body = msgspec.json.encode({"error": {"code": code, "message": message or "m", **more}})
    return answer(f"{status} X", body)


class TestAHealthyService:
    def test_is_asked_as_the_wire_says(self, run):
        with FaultyRealtime(says(answer("200 OK", admission()))) as server:
            reply = run(register(client_of(server.url)))
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        assert head.startswith(b"POST /parties/leet99/ROOM23/register HTTP/1.1\r\n")
        assert b"authorization: bearer a-service-key" in lines
        assert b"content-type: application/json" in lines
        assert msgspec.json.decode(body, type=RegisterRequest) == ALICE
        assert (reply.room_id, reply.phase, bytes(reply.settings)) == (
            "ROOM23",
            "lobby",
            b'{"playerCap": 8}',
        )

    def test_reads_a_state_without_the_key(self, run):
        state = {
            "roomId": "ROOM23",
            "phase": "main",
            "playerCount": 3,
            "playerCounts": {"players": 2, "spectators": 0, "bots": 1},
            "settings": {},
        }
        with FaultyRealtime(says(answer("200 OK", msgspec.json.encode(state)))) as server:
            state = run(client_of(server.url).state("chat", "ROOM23"))
        assert state.player_counts.players == 2
        assert server.requests[0].startswith(b"GET /parties/chat/ROOM23/state HTTP/1.1\r\n")
        assert KEY.encode() not in server.requests[0]

    @pytest.mark.parametrize(("ask", "line", "told"), READS.values(), ids=READS)
    def test_lists_without_the_key(self, run, ask, line, told):
        with FaultyRealtime(says(answer("200 OK", msgspec.json.encode(told)))) as server:
            found = run(ask(client_of(server.url)))
        assert msgspec.json.decode(msgspec.json.encode(found)) == told
        assert server.requests[0].startswith(line + b" HTTP/1.1\r\n")
        assert KEY.encode() not in server.requests[0]

    @pytest.mark.parametrize(
        ("control", "body"),
        [
            (CloseRoom(), {"action": "close"}),
            (RemovePlayer("p_1"), {"action": "remove", "playerId": "p_1"}),
            (RetryAlarms(), {"action": "retry-alarms"}),
        ],
    )
    def test_controls_a_room_with_the_key(self, run, control, body):
        with FaultyRealtime(says(answer("200 OK", b'{"ok": true}'))) as server:
            assert run(client_of(server.url).control("leet99", "ROOM23", control)).ok
        head, _, sent = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /parties/leet99/ROOM23/control HTTP/1.1\r\n")
        assert b"authorization: bearer a-service-key" in head.lower()
        assert msgspec.json.decode(sent) == body

    def test_may_fill_a_page_with_large_and_deep_settings(self, run):
        settings = {"text": "x" * 16_000, "deep": eval("[" * 14 + "]" * 14)}
        page = {"rooms": [SUMMARY | {"settings": settings}] * 50, "nextCursor": None}
        with FaultyRealtime(says(answer("200 OK", msgspec.json.encode(page)))) as server:
            client = client_of(server.url, try_timeout_s=4, total_timeout_s=8)
            found = run(client.rooms("leet99", RoomsQuery()))
        assert len(found.rooms) == 50

    def test_may_live_below_a_path(self, run):
        with FaultyRealtime(says(answer("200 OK", admission()))) as server:
            run(register(client_of(server.url + "/rt/")))
        assert server.requests[0].startswith(b"POST /rt/parties/leet99/ROOM23/register ")

    def test_keeps_its_connection(self, run):
        with FaultyRealtime(says(answer("200 OK", admission()))) as server:
            client = client_of(server.url)
            for _ in range(5):
                run(register(client))
        assert server.connections == 1

    def test_is_asked_with_the_key_whether_it_is_ready(self, run):
        with FaultyRealtime(says(answer("200 OK", b'{"status": "ok"}'))) as server:
            assert run(client_of(server.url).states()) == ["ok"]
        head = server.requests[0].lower()
        assert head.startswith(b"get /readyz http/1.1\r\n")
        assert b"authorization: bearer a-service-key" in head


class TestAFaultyService:
    def test_that_refuses_is_unavailable_at_once(self, run):
        with faults.refused() as url:
            failure = run(failure_of(client_of(url)))
        assert (failure.code, failure.status) == (Code.REALTIME_UNAVAILABLE, 503)
        assert failure.headers == {"Retry-After": "1"}

    def test_that_refuses_waits_for_no_time_to_pass(self, held):
        with faults.refused() as url:
            assert held(failure_of(client_of(url))).code is Code.REALTIME_UNAVAILABLE

    @pytest.mark.parametrize("fault", [faults.silent, faults.trickling, faults.slow_headers])
    def test_that_does_not_answer_in_time_is_asked_twice(self, held, fault):
        with FaultyRealtime(fault) as server:
            failure = held(failure_after(client_of(server.url), server, TRY_S, TRY_S))
        assert (failure.code, failure.status) == (Code.REALTIME_TIMEOUT, 504)
        assert len(server.requests) == 2
        assert server.requests[0] == server.requests[1]

    def test_is_asked_twice_on_either_loop(self, run):
        with FaultyRealtime(faults.silent) as server:
            failure = run(failure_of(client_of(server.url, total_timeout_s=60)))
            run(until(lambda: len(server.requests) == 2))
        assert failure.code is SILENT

    def test_never_takes_longer_than_the_total(self, held):
        with FaultyRealtime(faults.silent) as server:
            client = client_of(server.url, total_timeout_s=0.4)
            assert held(failure_after(client, server, TRY_S, 0.4 - TRY_S)).code is SILENT

    def test_with_no_time_for_a_second_try_is_asked_once(self, held):
        with FaultyRealtime(faults.silent) as server:
            client = client_of(server.url, try_timeout_s=9, total_timeout_s=0.2)
            failure = held(failure_after(client, server, 0.2))
        assert failure.code is Code.REALTIME_TIMEOUT
        assert len(server.requests) == 1

    @pytest.mark.parametrize("fault", [faults.hangs_up, faults.half_an_answer])
    def test_that_hangs_up_is_asked_twice_and_unavailable(self, run, fault):
        with FaultyRealtime(fault) as server:
            failure = run(failure_of(client_of(server.url)))
        assert failure.code is Code.REALTIME_UNAVAILABLE
        assert len(server.requests) == 2

    @pytest.mark.parametrize("name", faults.GARBAGE)
    def test_that_answers_garbage_is_a_bad_gateway_and_its_words_go_no_further(self, run, name):
        with FaultyRealtime(faults.GARBAGE[name]) as server:
            failure = run(failure_of(client_of(server.url, try_timeout_s=2, total_timeout_s=4)))
        assert (failure.code, failure.status) == (Code.INTERNAL_ERROR, 502)
        assert failure.message == CATALOGUE[Code.INTERNAL_ERROR].message
        assert faults.SECRET not in msgspec.json.encode(failure.body).decode()
        assert len(server.requests) == 2

    def test_that_recovers_between_the_tries_has_its_answer_heard(self, run):
        answers = iter([answer("500 Oh", b""), answer("200 OK", admission())])
        with FaultyRealtime(lambda connection, _: connection.sendall(next(answers))) as server:
            assert run(register(client_of(server.url))).room_id == "ROOM23"

    def test_behind_a_proxy_that_cannot_reach_it_is_unavailable(self, run):
        raw = answer("503 Service Unavailable", b"<html>", "text/html")
        with FaultyRealtime(says(raw)) as server:
            assert run(failure_of(client_of(server.url))).code is Code.REALTIME_UNAVAILABLE

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (faults.hangs_up, "The connection was closed"),
            (faults.silent, ""),
            (faults.GARBAGE["html"], ""),
            (says(answer("503 Service Unavailable", b"<html>", "text/html")), ""),
        ],
        ids=["hangs up", "silent", "garbage", "behind a proxy"],
    )
    def test_is_named_to_the_log_and_not_to_the_caller(self, run, caplog, fault, reason):
        with FaultyRealtime(fault) as server:
            failure = run(failure_of(client_of(server.url)))
        assert f"asked {server.url})" in caplog.text
        assert reason in caplog.text
        assert server.url.encode() not in msgspec.json.encode(failure.body)

    def test_that_is_not_there_is_named_with_the_reason(self, run, caplog):
        with faults.refused() as url:
            run(failure_of(client_of(url)))
        assert f"asked {url})" in caplog.text
        assert "refused" in caplog.text or "Connect call failed" in caplog.text

    def test_is_unreachable(self, run):
        with faults.refused() as url:
            assert run(client_of(url).states()) == ["unreachable"]

    def test_that_says_nothing_is_unreachable(self, run, monkeypatch):
        monkeypatch.setattr(client, "STATE_TIMEOUT_S", 0.1)
        with FaultyRealtime(faults.silent) as server:
            assert run(client_of(server.url).states()) == ["unreachable"]

    def test_that_refuses_the_key_has_it_logged(self, run, caplog):
        with FaultyRealtime(says(refusal(Code.UNAUTHORIZED))) as server:
            assert run(client_of(server.url).states()) == ["refuses the service key"]
        assert f"{server.url.removeprefix('http://')}: it refused our service key" in caplog.text
        assert KEY not in caplog.text


class TestAConnectionClosedWhileItLayIdle:
    def test_is_replaced_without_counting_as_a_try(self, run):
        with FaultyRealtime(faults.closes_after_each) as server:
            client = client_of(server.url)
            for _ in range(4):
                run(register(client))
        assert server.connections == 4


class TestARefusalOfTheServiceItself:
    @pytest.mark.parametrize(
        "code",
        [
            Code.BAD_REQUEST,
            Code.FORBIDDEN,
            Code.ROOM_NOT_FOUND,
            Code.ROOM_FULL,
            Code.USERNAME_TAKEN,
            Code.MATCH_ALREADY_STARTED,
            Code.ROOM_ALREADY_EXISTS,
            Code.IDEMPOTENCY_KEY_REUSED,
            Code.PAYLOAD_TOO_LARGE,
        ],
    )
    def test_reaches_the_caller_unchanged_and_is_not_asked_again(self, run, code):
        details = [{"path": "settings.playerCap", "message": "too many"}]
        with FaultyRealtime(says(refusal(code, "In its own words", details=details))) as server:
            failure = run(failure_of(client_of(server.url)))
        assert (failure.code, failure.status) == (code, CATALOGUE[code].status)
        assert failure.message == "In its own words"
        assert failure.details == (Detail("settings.playerCap", "too many"),)
        assert len(server.requests) == 1

    def test_brings_its_retry_after(self, run):
        raw = refusal(Code.RATE_LIMITED).replace(b"\r\n\r\n", b"\r\nretry-after: 7\r\n\r\n", 1)
        with FaultyRealtime(says(raw)) as server:
            assert run(failure_of(client_of(server.url))).headers == {"Retry-After": "7"}

    def test_for_storage_is_asked_again_because_the_outcome_may_be_unknown(self, run):
        answers = iter([refusal(Code.STORAGE_UNAVAILABLE), answer("200 OK", admission())])
        with FaultyRealtime(lambda connection, _: connection.sendall(next(answers))) as server:
            assert run(register(client_of(server.url))).ok

    def test_for_a_busy_room_is_not_asked_again(self, run):
        with FaultyRealtime(says(refusal(Code.ROOM_BUSY))) as server:
            assert run(failure_of(client_of(server.url))).code is Code.ROOM_BUSY
        assert len(server.requests) == 1


class TestAnAnswerAboutSomethingElse:
    @pytest.mark.parametrize(
        ("ask", "told"),
        [
            (lambda client: client.match("m_2"), {"match": MATCH, "standings": []}),
            (
                lambda client: client.matches("chat", "ROOM24", MatchesQuery()),
                {"roomId": "ROOM23", "matches": []},
            ),
            (lambda client: client.leaderboard("leet99", LeaderboardQuery()), {"window": "all"}),
            (lambda client: client.rooms("chat", RoomsQuery()), {"rooms": [{}]}),
        ],
    )
    def test_is_a_bad_gateway(self, run, ask, told):
        raw = answer("200 OK", msgspec.json.encode(told))
        with FaultyRealtime(says(raw)) as server, pytest.raises(RoomError) as caught:
            run(ask(client_of(server.url)))
        assert (caught.value.code, caught.value.status) == (Code.INTERNAL_ERROR, 502)


class TestAWrongServiceKey:
    def test_is_our_fault_not_the_callers(self, run, caplog):
        with FaultyRealtime(says(refusal(Code.UNAUTHORIZED))) as server:
            failure = run(failure_of(client_of(server.url)))
        assert (failure.code, failure.status) == (Code.INTERNAL_ERROR, 502)
        assert len(server.requests) == 1
        assert len(caplog.records) == 1
        assert "GREENROOM_SERVICE_KEY" in caplog.text
        assert KEY not in caplog.text


class TestAnOutage:
    def test_fails_the_calls_beyond_the_limit_at_once(self, held):
        async def outage(client):
            clock = held_clock()
            waiting = [asyncio.create_task(failure_of(client)) for _ in range(2)]
            await clock.until(lambda: len(server.requests) == 2)
            failure = await failure_of(client)
            assert not any(one.done() for one in waiting)
            await clock.passes(1)
            assert [(await one).code for one in waiting] == [SILENT] * 2
            server.fault = says(answer("200 OK", admission()))
            assert (await register(client)).ok  # there is a place again
            return failure

        with FaultyRealtime(faults.silent) as server:
            failure = held(outage(client_of(server.url, calls_max=2)))
        assert (failure.code, failure.status) == (Code.REALTIME_UNAVAILABLE, 503)

    def test_is_logged_once_not_once_per_call(self, run, caplog):
        with faults.refused() as url, caplog.at_level(logging.WARNING):
            client = client_of(url)
            for _ in range(20):
                run(failure_of(client))
        assert len(caplog.records) == 1


class TestACallerWhoGoesAway:
    def test_frees_its_place_and_closes_its_connection(self, run):
        async def goes_away(client):
            call = asyncio.create_task(register(client))
            await until(lambda: server.requests)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: server.ended)

        with FaultyRealtime(faults.silent) as server:
            client = client_of(server.url, calls_max=1)
            run(goes_away(client))
            server.fault = says(answer("200 OK", admission()))
            assert run(register(client)).ok


def test_the_defaults_are_those_of_the_protocol():
    environment = env.load({})
    assert environment.realtime_connect_timeout_s == 0.5
    assert environment.realtime_try_timeout_s == 4.0
    assert environment.realtime_total_timeout_s == 8.5
    assert ANSWER_MAX_BYTES == 2 * 1024 * 1024
