import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import jsonio
from contracts.errors import Code, RoomError
from contracts.http import CreateRoom
from contracts.leet99 import Leet99Settings
from contracts.limits import JSON_DEPTH_MAX

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab[{"), inner, max_size=3),
    max_leaves=12,
)


def refusal_of(raw, model=Any, path=""):
    with pytest.raises(RoomError) as caught:
        jsonio.decode(raw, model, path=path)
    assert caught.value.code is Code.BAD_REQUEST
    return caught.value


def details_of(raw, model, path=""):
    return [(detail.path, detail.message) for detail in refusal_of(raw, model, path).details]


class TestWhatIsRead:
    @given(VALUES)
    def test_any_json_that_is_not_too_deep(self, value):
        raw = json.dumps(value).encode()
        assert jsonio.decode(raw, Any) == json.loads(raw)

    def test_exactly_the_depth_that_is_allowed(self):
        deep = b"[" * JSON_DEPTH_MAX + b"]" * JSON_DEPTH_MAX
        assert jsonio.decode(deep, Any)

    def test_brackets_and_digits_in_strings(self):
        raw = json.dumps({"text": "[{" * 100 + "7" * 5000 + "1e999"}).encode()
        decoded: Any = jsonio.decode(raw, Any)
        assert decoded["text"].endswith("1e999")

    def test_many_shallow_brackets(self):
        decoded: Any = jsonio.decode(json.dumps([{}] * 500).encode(), Any)
        assert decoded == [{}] * 500

    def test_unknown_keys_are_ignored(self):
        assert jsonio.decode(b'{"username": "a", "color": "red"}', CreateRoom).username == "a"

    def test_long_numbers_that_a_double_holds(self):
        assert jsonio.decode(b"[1e300, " + b"1" * 305 + b"]", Any)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "raw",
        [
            *[
                b"",
                b" ",
                b"{",
                b"nope",
                b"'a'",
                b"{'a':1}",
                b'{"a":1}x',
                b'{"a":1,}',
                b"[01]",
                b"[1.]",
            ],
            *[b"\xff", b'"\xff"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"a\x00b"', b"\x00"],
            b"\xef\xbb\xbf{}",
        ],
    )
    def test_what_is_not_json(self, raw):
        assert refusal_of(raw).message == "The body is not valid JSON"

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"b":'])
    @pytest.mark.parametrize("levels", [JSON_DEPTH_MAX + 1, 500, 8000])
    def test_what_is_too_deep(self, opening, levels):
        closing = bytes({91: 93, 123: 125}[byte] for byte in reversed(opening) if byte in b"[{")
        refusal_of(opening * levels + b"1" + closing * levels)

    @pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1E+400"])
    def test_numbers_that_are_none(self, number):
        refusal_of(b'{"username": "a", "ignored": ' + number + b"}", CreateRoom)

    @pytest.mark.parametrize("digits", [310, 5000, 16000])
    def test_integers_that_no_double_holds_even_where_they_are_ignored(self, digits):
        refusal_of(b'{"username": "a", "ignored": ' + b"9" * digits + b"}", CreateRoom)

    def test_a_wide_number_hidden_in_raw_settings(self):
        refusal_of(b'{"username": "a", "settings": {"x": [1e999]}}', CreateRoom)

    @given(st.binary(max_size=200) | st.text('[]{}",:019eE+-.NaIf ntrul\\').map(str.encode))
    def test_nothing_worse_than_a_refusal_comes_of_any_bytes(self, raw):
        with contextlib.suppress(RoomError):
            jsonio.decode(raw, CreateRoom)


class TestHowARefusalNamesTheField:
    def test_by_its_path(self):
        assert details_of(b'{"playerCap": "5"}', Leet99Settings) == [
            ("playerCap", "Expected `int`, got `str`")
        ]

    def test_below_the_path_it_was_read_from(self):
        assert details_of(b'{"playerCap": 0}', Leet99Settings, "settings") == [
            ("settings.playerCap", "Expected `int` >= 1")
        ]

    def test_when_it_is_missing(self):
        assert details_of(b"{}", CreateRoom) == [("username", "This field is required")]

    def test_inside_lists(self):
        assert details_of(b'[1, "x"]', list[int]) == [("[1]", "Expected `int`, got `str`")]

    def test_not_at_all_when_the_whole_is_wrong(self):
        assert details_of(b"[]", CreateRoom) == []
        assert refusal_of(b"[]", CreateRoom).message == "Expected `object`, got `array`"

    @pytest.mark.parametrize("value", [b"true", b'"5"', b"null", b"5.5", b"-1", b"100", b"[5]"])
    def test_strictly_by_type_and_range(self, value):
        [(path, _)] = details_of(b'{"playerCap": ' + value + b"}", Leet99Settings, "settings")
        assert path == "settings.playerCap"


@given(VALUES)
def test_what_is_encoded_reads_back(value):
    assert jsonio.decode(jsonio.encode(value), Any) == value
