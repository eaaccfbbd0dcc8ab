import pytest

from contracts.errors import Code
from tests.lobby.test_rooms_api import error_of
from tests.support.realtime_double import ENTRY, MATCH, STANDING, SUMMARY

ROOMS, BOARD = "/api/rooms", "/api/leaderboard"
MATCHES, REPORT = "/api/rooms/ROOM23/matches", "/api/matches/m_1"


def asked(realtime):
    """The one call that was made: its path and its query."""
    [call] = realtime.asked
    realtime.asked.clear()
    return call.path.partition("?")[0], call.query


def test_rooms_are_listed(browser, realtime):
    response = browser.get(ROOMS)
    assert response.status_code == 200
    assert response.json() == {"rooms": [SUMMARY], "nextCursor": "abc"}
    assert asked(realtime) == ("/parties/leet99", {})


def test_what_a_list_of_rooms_takes_is_passed_on(browser, realtime):
    query = {"status": "in_game", "hasSpace": "false", "cursor": "a-b_C"}
    browser.get(ROOMS, params={"party": "chat", "color": "red", **query})
    assert asked(realtime) == ("/parties/chat", query)


def test_a_rooms_matches_are_listed(browser, realtime):
    response = browser.get("/api/rooms/room23/matches", params={"limit": 5, "party": "chat"})
    assert response.json() == {"roomId": "ROOM23", "matches": [MATCH]}
    assert asked(realtime) == ("/parties/chat/ROOM23/matches", {"limit": "5"})
    browser.get(MATCHES)
    assert asked(realtime) == ("/parties/leet99/ROOM23/matches", {"limit": "20"})


def test_a_match_is_reported(browser, realtime):
    assert browser.get(REPORT).json() == {"match": MATCH, "standings": [STANDING]}
    assert asked(realtime) == ("/matches/m_1", {})


def test_the_id_of_a_match_keeps_its_case(browser, realtime):
    assert browser.get("/api/matches/abcdef").json()["match"]["matchId"] == "abcdef"


def test_leaders_are_listed(browser, realtime):
    response = browser.get(BOARD, params={"window": "day", "limit": 3})
    assert response.json() == {"window": "all", "entries": [ENTRY]}
    assert asked(realtime) == ("/leaderboard", {"party": "leet99", "window": "day", "limit": "3"})
    browser.get(BOARD)
    assert asked(realtime) == ("/leaderboard", {"party": "leet99", "window": "all", "limit": "50"})


@pytest.mark.parametrize(
    ("given", "taken"), [("0", "1"), ("-1", "1"), ("101", "100"), ("9" * 5000, "100"), ("", "20")]
)
def test_a_limit_is_clamped(browser, realtime, given, taken):
    browser.get(MATCHES, params={"limit": given})
    assert asked(realtime)[1] == {"limit": taken}


def test_the_last_of_two_parameters_counts(browser, realtime):
    browser.get(f"{BOARD}?limit=x&limit=3&window=month&window=week")
    assert asked(realtime)[1] == {"party": "leet99", "window": "week", "limit": "3"}
    browser.get(f"{ROOMS}?party=chat&party=")
    assert asked(realtime)[0] == "/parties/leet99"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        *((f"{MATCHES}?limit={text}", "limit") for text in ("x", "1e3", "1.0", "%00", "%EF%BC%95")),
        *((f"{BOARD}?limit={text}", "limit") for text in ("x", "0x10", "5%00")),
        *((f"{BOARD}?window={text}", "window") for text in ("month", "ALL", "day%00")),
        *((f"{ROOMS}?status={text}", "status") for text in ("closed", "OPEN", "open%00")),
        *((f"{ROOMS}?hasSpace={text}", "hasSpace") for text in ("maybe", "1", "TRUE")),
        *((f"{ROOMS}?cursor={text}", "cursor") for text in ("%00", "a/b", "%FF", "x" * 65)),
        *((f"{ROOMS}?party={text}", "party") for text in ("No", "a/b", "%00", "..", "x" * 33)),
        (f"{MATCHES}?party=No", "party"),
    ],
)
def test_a_bad_parameter_is_named_and_nobody_asked(browser, realtime, path, field):
    error = error_of(browser.get(path), 400)
    assert error["code"] == "BAD_REQUEST"
    assert [detail["path"] for detail in error["details"]] == [field]
    assert not realtime.asked


def test_a_query_of_a_thousand_parameters_is_refused(browser, realtime):
    error_of(browser.get(ROOMS + "?" + "&".join(f"x{n}=1" for n in range(2000))), 400)
    assert not realtime.asked


@pytest.mark.parametrize("path", [ROOMS, MATCHES])
def test_a_party_that_the_realtime_service_does_not_know(browser, realtime, path):
    realtime.refuses(Code.NOT_FOUND)
    error = error_of(browser.get(path, params={"party": "unheard-of"}), 400)
    assert [detail["path"] for detail in error["details"]] == ["party"]


@pytest.mark.parametrize("match_id", ["x" * 65, "a%00b", "..%2f", "a.b", "%c3%a9", "m_1%0a", ""])
def test_what_can_be_no_id_is_no_path(browser, realtime, match_id):
    assert error_of(browser.get(f"/api/matches/{match_id}"), 404)["code"] == "NOT_FOUND"
    rooms = browser.get(f"/api/rooms/{match_id}/matches")
    assert error_of(rooms, 404)["code"] == "NOT_FOUND"
    assert not realtime.asked


@pytest.mark.parametrize(
    ("path", "code", "status"),
    [
        (REPORT, Code.MATCH_NOT_FOUND, 404),
        (MATCHES, Code.ROOM_NOT_FOUND, 404),
        (ROOMS, Code.STORAGE_UNAVAILABLE, 503),
        (BOARD, Code.STORAGE_UNAVAILABLE, 503),
        (ROOMS, Code.REALTIME_UNAVAILABLE, 503),
    ],
)
def test_refusals_pass_unchanged(browser, realtime, path, code, status):
    realtime.refuses(code, "In its words", times=2)
    assert error_of(browser.get(path), status) == {"code": code, "message": "In its words"}


def test_a_cursor_that_no_page_has_given(browser, realtime):
    details = [{"path": "cursor", "message": "m"}]
    realtime.refuses(Code.BAD_REQUEST, "In its words", details=details)
    assert error_of(browser.get(ROOMS, params={"cursor": "x"}), 400)["details"] == details


@pytest.mark.parametrize("path", [REPORT, MATCHES, BOARD])
def test_lists_are_only_read(browser, path):
    response = browser.post(path, json={})
    assert error_of(response, 405)["code"] == "METHOD_NOT_ALLOWED"
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert browser.head(path).status_code == 200
