import msgspec
import pytest

from contracts.errors import CATALOGUE, Code, Detail, RoomError, bad_request

STATUSES = {
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "ROOM_NOT_FOUND": 404,
    "MATCH_NOT_FOUND": 404,
    "PLAYER_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "ROOM_FULL": 409,
    "USERNAME_TAKEN": 409,
    "MATCH_ALREADY_STARTED": 409,
    "ROOM_ALREADY_EXISTS": 409,
    "REQUEST_IN_PROGRESS": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "IDEMPOTENCY_KEY_REUSED": 422,
    "UPGRADE_REQUIRED": 426,
    "RATE_LIMITED": 429,
    "INTERNAL_ERROR": 500,
    "REALTIME_UNAVAILABLE": 503,
    "STORAGE_UNAVAILABLE": 503,
    "ROOM_BUSY": 503,
    "ROOM_UNREADABLE": 503,
    "REALTIME_TIMEOUT": 504,
}


def as_json(value):
    return msgspec.json.decode(msgspec.json.encode(value))


def test_the_catalogue_is_the_protocols():
    assert {code.value: kind.status for code, kind in CATALOGUE.items()} == STATUSES
    assert set(CATALOGUE) == set(Code)


@pytest.mark.parametrize("code", Code)
def test_no_message_is_empty(code):
    assert RoomError(code).message
    assert RoomError(code, "").message == CATALOGUE[code].message


def test_a_body_has_code_message_and_no_empty_details():
    assert as_json(RoomError(Code.ROOM_FULL).body) == {
        "error": {"code": "ROOM_FULL", "message": "Room is full"}
    }


def test_a_body_names_bad_fields():
    assert as_json(bad_request("settings.playerCap", "too big").body) == {
        "error": {
            "code": "BAD_REQUEST",
            "message": "settings.playerCap: too big",
            "details": [{"path": "settings.playerCap", "message": "too big"}],
        }
    }


def test_over_http_the_delay_is_a_header():
    error = RoomError(Code.RATE_LIMITED, retry_after_s=2.2)
    assert error.headers == {"Retry-After": "3"}
    assert "retryAfterMs" not in as_json(error.body)["error"]


def test_over_a_socket_the_delay_is_in_the_payload():
    assert as_json(RoomError(Code.RATE_LIMITED, retry_after_s=0.25).info)["retryAfterMs"] == 250
    assert as_json(RoomError(Code.RATE_LIMITED, retry_after_s=0.0001).info)["retryAfterMs"] == 1


@pytest.mark.parametrize("code", [code for code in Code if CATALOGUE[code].status == 503])
def test_every_503_advises_when_to_come_back(code):
    assert RoomError(code).headers == {"Retry-After": "1"}


def test_what_requires_an_upgrade_says_to_which_protocol():
    error = RoomError(Code.UPGRADE_REQUIRED)
    assert error.headers == {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert (b"upgrade", b"websocket") in error.fields
    assert "proxy" in error.message


def test_an_error_may_bring_headers_of_its_own():
    error = RoomError(Code.ROOM_BUSY, headers={"Allow": "GET"})
    assert error.headers == {"Retry-After": "1", "Allow": "GET"}


def test_other_errors_advise_nothing():
    assert RoomError(Code.ROOM_FULL).headers == {}


def test_a_gateway_may_change_the_status_only():
    error = RoomError(Code.INTERNAL_ERROR, status=502)
    assert (error.status, error.code) == (502, Code.INTERNAL_ERROR)


def test_a_headline_may_differ_from_the_detail():
    error = bad_request("username", "too long", headline="Username must be 1-16 characters")
    assert error.message == "Username must be 1-16 characters"
    assert error.details == (Detail("username", "too long"),)
