import pytest

from contracts.errors import Code
from contracts.exchange import Ends, Request
from lobby.requests import ApiRequest
from lobby.throttles import AddressThrottle
from lobby.windows import Limits, Window

MATCHES = "/api/rooms/ROOM23/matches"
CREATE, JOIN, SUMMARY = "/api/rooms", "/api/rooms/ROOM23/join", "/api/rooms/ROOM23"


@pytest.fixture
def limits():
    return Limits(creates=Window(2), joins=Window(4), misses=Window(3), reads=Window(5))


def post(browser, path, **headers):
    return browser.post(path, json={"username": "a"}, headers=headers)


def statuses(*responses):
    return [response.status_code for response in responses]


def test_creates_are_limited_per_address(browser, realtime):
    assert statuses(*(post(browser, CREATE) for _ in range(3))) == [201, 201, 429]
    assert len(realtime.asked) == 2


def test_joins_are_limited_per_address(browser):
    assert statuses(*(post(browser, JOIN) for _ in range(5))) == [200] * 4 + [429]


def test_a_limited_caller_is_told_when_to_come_back(browser):
    response = [post(browser, CREATE) for _ in range(3)][-1]
    assert response.json()["error"]["code"] == "RATE_LIMITED"
    assert 1 <= int(response.headers["retry-after"]) <= 60


def test_guessed_room_codes_are_limited_over_joins_and_summaries(browser, realtime):
    realtime.refuses(Code.ROOM_NOT_FOUND, times=3)
    guesses = (browser.get(SUMMARY), post(browser, JOIN), browser.get(SUMMARY))
    assert statuses(*guesses) == [404, 404, 404]
    assert statuses(browser.get(SUMMARY), post(browser, JOIN)) == [429, 429]
    assert len(realtime.asked) == 3


def test_a_room_without_matches_is_a_guess_when_it_is_no_room(browser, realtime):
    realtime.refuses(Code.ROOM_NOT_FOUND, times=3)
    assert statuses(*(browser.get(MATCHES) for _ in range(4))) == [404, 404, 404, 429]
    assert statuses(browser.get(SUMMARY)) == [429]
    assert statuses(browser.get(CREATE)) == [200]  # a list gives no codes away but public ones


def test_reads_are_limited_per_address_all_together(browser):
    paths = (CREATE, MATCHES, "/api/matches/m_1", "/api/leaderboard", CREATE, CREATE)
    answers = [browser.get(path) for path in paths]
    assert statuses(*answers) == [200] * 5 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert statuses(browser.head(CREATE), post(browser, CREATE)) == [429, 201]


def test_rooms_that_are_there_are_no_guesses(browser):
    assert {browser.get(SUMMARY).status_code for _ in range(10)} == {200}


def test_other_refusals_are_no_guesses(browser, realtime):
    realtime.refuses(Code.ROOM_FULL, times=4)
    assert {post(browser, JOIN).status_code for _ in range(4)} == {409}
    assert browser.get(SUMMARY).status_code == 200


def test_forwarded_addresses_count_for_nothing_without_a_trusted_proxy(browser):
    answers = [post(browser, CREATE, **{"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(3)]
    assert statuses(*answers) == [201, 201, 429]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("1.2.3.4, 203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_one_trusted_proxy_names_the_caller(monkeypatch, forwarded, address):
    monkeypatch.setattr("rest_framework.throttling.api_settings.NUM_PROXIES", 1)
    ends = Ends(("10.0.0.1", 1), None, "http")
    sent = Request("GET", "/", b"", {b"x-forwarded-for": forwarded.encode()}, ends)
    assert AddressThrottle().address(ApiRequest(sent)) == address


class TestSwitchedOff:
    @pytest.fixture
    def limits(self):
        return None

    def test_nothing_is_limited(self, browser, realtime):
        realtime.refuses(Code.ROOM_NOT_FOUND, times=30)
        assert {browser.get(SUMMARY).status_code for _ in range(30)} == {404}
        assert {post(browser, CREATE).status_code for _ in range(30)} == {201}
