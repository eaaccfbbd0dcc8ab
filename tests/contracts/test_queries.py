from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Code, RoomError
from contracts.queries import LeaderboardQuery, MatchesQuery, RoomsQuery, parameters

STATUSES = st.sampled_from([None, "open", "in_game"])
CURSORS = st.from_regex(r"[A-Za-z0-9_-]{0,64}", fullmatch=True)
LIMITS = st.integers(1, 100)


def refused(kind, **given):
    with pytest.raises(RoomError) as caught:
        kind.read(given)
    assert caught.value.code is Code.BAD_REQUEST
    [detail] = caught.value.details
    return detail.path


@given(st.builds(RoomsQuery, STATUSES, st.sampled_from([None, True, False]), CURSORS))
def test_what_asks_for_rooms_is_read_as_it_is_written(query):
    assert RoomsQuery.read(parameters(str(query).encode())) == query


@given(st.builds(LeaderboardQuery, st.sampled_from(["all", "day", "week"]), LIMITS))
def test_what_asks_for_leaders_is_read_as_it_is_written(query):
    assert LeaderboardQuery.read(parameters(str(query).encode())) == query


@given(LIMITS.map(MatchesQuery))
def test_what_asks_for_matches_is_read_as_it_is_written(query):
    assert MatchesQuery.read(parameters(str(query).encode())) == query


@given(st.dictionaries(st.sampled_from(["status", "hasSpace", "cursor", "limit"]), st.text()))
def test_no_parameter_breaks_the_reader(values):
    found = parameters(urlencode(values, errors="replace").encode())
    for kind in (RoomsQuery, MatchesQuery, LeaderboardQuery):
        with suppress(RoomError):
            kind.read(found)


@given(st.binary())
def test_no_query_string_breaks_the_reader(query_string):
    parameters(query_string)


@pytest.mark.parametrize("text", ["closed", "OPEN", "open\0", " open", "null"])
def test_a_status_that_is_not_listed(text):
    assert refused(RoomsQuery, status=text) == "status"


@pytest.mark.parametrize("text", ["maybe", "1", "True", "yes"])
def test_a_space_that_is_neither(text):
    assert refused(RoomsQuery, hasSpace=text) == "hasSpace"


@pytest.mark.parametrize("text", ["\0", "a b", "a/b", "é", "x" * 65, "a\n"])
def test_a_cursor_that_cannot_be_one(text):
    assert refused(RoomsQuery, cursor=text) == "cursor"


@pytest.mark.parametrize(
    "text", ["x", "1e3", "1.5", "+1", " 1", "1\n", "٣", "\uff15", "\0", "-", "0x1"]
)
def test_a_limit_that_is_no_integer(text):
    assert refused(MatchesQuery, limit=text) == "limit"


@pytest.mark.parametrize(
    ("text", "limit"),
    [("0", 1), ("-1", 1), ("-" + "9" * 9999, 1), ("100", 100), ("101", 100), ("9" * 9999, 100)],
)
def test_a_limit_out_of_bounds_is_the_nearest_one(text, limit):
    assert MatchesQuery.read({"limit": text}) == MatchesQuery(limit)


def test_empty_and_repeated_parameters():
    assert RoomsQuery.read(parameters(b"status=&hasSpace=&cursor=")) == RoomsQuery()
    assert MatchesQuery.read(parameters(b"limit=7&limit=8")) == MatchesQuery(8)
    assert MatchesQuery.read(parameters(b"limit=7&limit=")) == MatchesQuery(20)
    assert LeaderboardQuery.read(parameters(b"limit=&window=")) == LeaderboardQuery("all", 50)
