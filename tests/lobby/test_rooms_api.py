import json

import pytest

from contracts.errors import Code
from contracts.limits import BODY_MAX_BYTES

CREATE, JOIN = "/api/rooms", "/api/rooms/ROOM23/join"


def error_of(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    return response.json()["error"]


def post(browser, path=CREATE, body=b"", content_type="application/json", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type is not None:
        headers["content-type"] = content_type
    return browser.post(path, content=body, headers=headers)


def test_a_room_is_created(browser):
    response = browser.post(CREATE, json={"username": "alice", "settings": {"playerCap": 8}})
    body = response.json()
    assert response.status_code == 201
    assert list(body) == [
        "roomId", "wsUrl", "playerId", "playerToken", "role", "isHost", "settings"
    ]  # fmt: skip
    assert body["wsUrl"] == f"wss://rt.example/parties/leet99/{body['roomId']}"
    assert (body["role"], body["isHost"]) == ("player", True)
    assert body["settings"] == {"playerCap": 8, "decidedBy": "realtime"}


def test_a_room_is_joined(browser):
    response = browser.post(JOIN, json={"username": "bob", "role": "spectator"})
    assert response.status_code == 200
    assert (response.json()["role"], response.json()["isHost"]) == ("spectator", False)


def test_a_room_is_looked_at(browser, realtime):
    response = browser.get("/api/rooms/ROOM23", params={"party": "chat"})
    assert response.status_code == 200
    assert response.json() == {
        "roomId": "ROOM23",
        "phase": "main",
        "settings": {"a": 1},
        "counts": {"players": 2, "spectators": 1},
    }
    assert realtime.asked[0].path == "/parties/chat/ROOM23/state"
    browser.get("/api/rooms/ROOM23")
    assert realtime.asked[1].path == "/parties/leet99/ROOM23/state"


@pytest.mark.parametrize("path", [CREATE, JOIN])
def test_answers_with_a_token_are_kept_by_nobody(browser, path):
    assert post(browser, path, b'{"username": "a"}').headers["cache-control"] == "no-store"


def test_no_browser_takes_an_answer_for_a_page(browser):
    for response in (browser.get("/api/rooms/ROOM23"), browser.get("/api/rooms/a.b")):
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.django_db
def test_no_answer_needs_a_query(browser, realtime, django_assert_num_queries):
    with django_assert_num_queries(0):
        browser.post(CREATE, json={"username": "a"})
        browser.post(JOIN, json={"username": "a"})
        browser.get("/api/rooms/ROOM23")
        realtime.refuses(Code.ROOM_FULL)
        browser.post(JOIN, json={"username": "a"})
        for path in ("rooms", "rooms/ROOM23/matches", "matches/m_1", "leaderboard", "nothing"):
            browser.get(f"/api/{path}")


def test_the_host_header_names_no_socket(browser):
    response = browser.post(CREATE, json={"username": "a"}, headers={"host": "evil.example"})
    assert response.json()["wsUrl"].startswith("wss://rt.example/")


@pytest.mark.parametrize(
    ("typed", "canonical"), [("room23", "ROOM23"), ("room_1", "room_1"), ("x" * 64, "x" * 64)]
)
def test_room_ids_are_canonical_before_anybody_is_asked(browser, realtime, typed, canonical):
    browser.get(f"/api/rooms/{typed}")
    browser.post(f"/api/rooms/{typed}/join", json={"username": "a"})
    assert {asked.room_id for asked in realtime.asked} == {canonical}


@pytest.mark.parametrize(
    "room_id",
    [
        "x" * 65,
        "x" * 8192,
        "..%2f",
        "%2e%2e",
        "%00",
        "a%00b",
        "a%20b",
        "a.b",
        "%c3%a9",
        "ROOM23%0a",
    ],
)
def test_what_can_be_no_room_id_is_no_path(browser, realtime, room_id):
    assert error_of(browser.get(f"/api/rooms/{room_id}"), 404)["code"] == "NOT_FOUND"
    joined = browser.post(f"/api/rooms/{room_id}/join", json={"username": "a"})
    assert error_of(joined, 404)["code"] == "NOT_FOUND"
    assert not realtime.asked


@pytest.mark.parametrize("path", ["/api/rooms/", "/api/rooms/ROOM23/", "/api/rooms/ROOM23/join/"])
def test_nothing_ends_in_a_slash_or_redirects(browser, path):
    assert error_of(browser.post(path, json={"username": "a"}), 404)["code"] == "NOT_FOUND"


class TestMethods:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", CREATE, {"GET", "HEAD", "POST", "OPTIONS"}),
            ("DELETE", CREATE, {"GET", "HEAD", "POST", "OPTIONS"}),
            ("PUT", JOIN, {"POST", "OPTIONS"}),
            ("POST", "/api/rooms/ROOM23", {"GET", "HEAD", "OPTIONS"}),
            ("BREW", "/api/rooms/ROOM23", {"GET", "HEAD", "OPTIONS"}),
        ],
    )
    def test_that_a_path_does_not_take(self, browser, method, path, allowed):
        response = browser.request(method, path)
        assert error_of(response, 405)["code"] == "METHOD_NOT_ALLOWED"
        assert set(response.headers["allow"].split(", ")) == allowed

    def test_are_listed_for_who_asks(self, browser):
        response = browser.options("/api/rooms/ROOM23")
        assert (response.status_code, response.content) == (204, b"")
        assert "GET" in response.headers["allow"]

    def test_head_is_get_for_who_wants_no_body(self, browser):
        assert browser.head("/api/rooms/ROOM23").status_code == 200


class TestBodies:
    @pytest.mark.parametrize(
        "content_type",
        ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
    )
    def test_are_json(self, browser, content_type):
        assert post(browser, CREATE, b'{"username": "a"}', content_type).status_code == 201

    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/jsonp",
            "application/json; charset=latin-1",
            "text/json",
        ],
    )
    def test_of_another_type_are_not_read(self, browser, content_type):
        response = post(browser, CREATE, b'{"username": "a"}', content_type)
        assert error_of(response, 415)["code"] == "UNSUPPORTED_MEDIA_TYPE"

    def test_may_be_as_long_as_the_limit(self, browser):
        body = json.dumps({"username": "a", "pad": ""}).encode()
        body = body.replace(b'""', b'"' + b"x" * (BODY_MAX_BYTES - len(body)) + b'"')
        assert len(body) == BODY_MAX_BYTES
        assert post(browser, CREATE, body).status_code == 201
        assert error_of(post(browser, CREATE, body + b" "), 413)["code"] == "PAYLOAD_TOO_LARGE"

    def test_are_counted_when_their_length_is_not_announced(self, browser):
        small = iter([b'{"user', b'name": "a"}'])
        large = iter([b'{"username": "a"', b" " * BODY_MAX_BYTES, b"}"])
        assert post(browser, CREATE, small).status_code == 201
        assert error_of(post(browser, CREATE, large), 413)["code"] == "PAYLOAD_TOO_LARGE"

    @pytest.mark.parametrize("length", ["abc", "-5", "1e3", "9" * 5000])
    def test_with_a_length_that_is_none_are_read_to_the_limit(self, browser, length):
        response = post(browser, CREATE, b'{"username": "a"}', content_length=length)
        assert response.status_code == 201

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"nope",
            b"{",
            b"\xff",
            b'{"username": "\\ud800"}',
            b'{"username": "a", "x": NaN}',
            b'{"username": "a", "x": 1e999}',
            b'{"username": "a", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
            b'{"username": "a", "x": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_that_are_not_json_are_refused(self, browser, realtime, body):
        assert error_of(post(browser, CREATE, body), 400)["code"] == "BAD_REQUEST"
        assert not realtime.asked

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({}, "username"),
            ({"username": None}, "username"),
            ({"username": 5}, "username"),
            ({"username": "a\x00b"}, "username"),
            ({"username": "x" * 17}, "username"),
            ({"username": "a", "settings": None}, "settings"),
            ({"username": "a", "settings": []}, "settings"),
            ({"username": "a", "settings": 7}, "settings"),
            ({"username": "a", "settings": {"playerCap": 0}}, "settings.playerCap"),
            ({"username": "a", "settings": {"playerCap": 100}}, "settings.playerCap"),
            ({"username": "a", "settings": {"playerCap": "5"}}, "settings.playerCap"),
            ({"username": "a", "settings": {"playerCap": True}}, "settings.playerCap"),
            (
                {"username": "a", "settings": {"difficultyProfile": "x"}},
                "settings.difficultyProfile",
            ),
            ({"username": "a", "party": "No Such"}, "party"),
            ({"username": "a", "party": 5}, "party"),
            ({"username": "a", "visibility": "secret"}, "visibility"),
        ],
    )
    def test_with_a_bad_field_are_refused_by_its_path(self, browser, realtime, body, path):
        error = error_of(browser.post(CREATE, json=body), 400)
        assert error["code"] == "BAD_REQUEST"
        assert [detail["path"] for detail in error["details"]] == [path]
        assert not realtime.asked

    def test_join_takes_no_other_role(self, browser):
        error = error_of(browser.post(JOIN, json={"username": "a", "role": "host"}), 400)
        assert error["details"][0]["path"] == "role"

    def test_may_hold_keys_of_the_future(self, browser):
        body = {"username": "a", "color": "red", "settings": {"newer": [1]}}
        assert browser.post(CREATE, json=body).status_code == 201

    @pytest.mark.parametrize("name", ["'; DROP TABLE x", "<script>", "{{7*7}}", "=1+1", "%n%s"])
    def test_are_inert_text(self, browser, realtime, name):
        browser.post(CREATE, json={"username": name})
        assert realtime.asked[0].body["username"] == name


class TestIdempotencyKeys:
    KEY = "0123456789abcdefABCD_-"

    @pytest.mark.parametrize("path", [CREATE, JOIN])
    def test_repeat_the_answer(self, browser, path):
        first, second = (
            post(browser, path, b'{"username": "a"}', idempotency_key=self.KEY) for _ in range(2)
        )
        assert first.json() == second.json()

    def test_count_for_the_room_however_its_code_is_typed(self, browser):
        answers = [
            post(browser, f"/api/rooms/{code}/join", b'{"username": "a"}', idempotency_key=self.KEY)
            for code in ("room23", "ROOM23")
        ]
        assert answers[0].json() == answers[1].json()

    @pytest.mark.parametrize(
        "key", ["", "short", "x" * 21, "x" * 129, "x" * 21 + " ", "x" * 21 + "/"]
    )
    def test_that_are_none_are_refused(self, browser, realtime, key):
        response = post(browser, CREATE, b'{"username": "a"}', idempotency_key=key.encode())
        error = error_of(response, 400)
        assert error["details"][0]["path"] == "Idempotency-Key"
        assert not realtime.asked


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("ROOM_NOT_FOUND", 404),
            ("ROOM_FULL", 409),
            ("USERNAME_TAKEN", 409),
            ("FORBIDDEN", 403),
            ("MATCH_ALREADY_STARTED", 409),
            ("IDEMPOTENCY_KEY_REUSED", 422),
            ("ROOM_BUSY", 503),
        ],
    )
    def test_of_the_room_are_the_callers(self, browser, realtime, code, status):
        realtime.refuses(Code(code), "In its words")
        error = error_of(browser.post(JOIN, json={"username": "a"}), status)
        assert error == {"code": code, "message": "In its words"}

    def test_for_a_while_say_when_to_come_back(self, browser, realtime):
        realtime.refuses(Code.ROOM_BUSY)
        assert browser.post(JOIN, json={"username": "a"}).headers["retry-after"] == "1"
