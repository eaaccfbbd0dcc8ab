import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.errors import Code, RoomError
from contracts.limits import USERNAME_MAX
from contracts.usernames import clean_username, username_key

# Unicode's PropList.txt, White_Space=yes, and the byte order mark.
TRIMMED = [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)]
TRIMMED += [0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF]
ANY_TEXT = st.text(st.characters(), max_size=24)


def accepted(typed):
    try:
        return clean_username(typed)
    except RoomError:
        return None


class TestAccepted:
    @pytest.mark.parametrize(
        "name",
        [
            *["a", "alice", "Alice B", "x" * 16, "日本語", "Ζωή", "Лёша", "أحمد", "नमस्ते", "👍"],
            *["O'Neil", "<b>", "a;b", "'; DROP TABLE--", "{{7*7}}", "=1+1", "%s%n"],
        ],
    )
    def test_as_typed(self, name):
        assert clean_username(name) == name

    @pytest.mark.parametrize("point", TRIMMED)
    def test_without_blanks_around_it(self, point):
        assert clean_username(chr(point) * 3 + "al" + chr(point) * 30) == "al"

    def test_in_composed_form(self):
        assert clean_username("e\u0301") == "\u00e9"

    def test_counted_in_code_points_after_composing_and_trimming(self):
        assert clean_username(" " + "e\u0301" * 16 + " ") == "\u00e9" * 16
        assert clean_username("😀" * 16) == "😀" * 16


class TestRefused:
    @pytest.mark.parametrize(
        "typed",
        [
            *["", " ", "\ufeff", "\u3000\t", "x" * 17, "é" * 17, "a  b", "日  本"],
            *["a\x00b", "a\nb", "a\tb", "a\x7fb", "a\x85b", "a\x1bb"],  # control
            *["a\u200bb", "a\u200db", "a\u202eb", "a\u2066b", "\u00adab", "a\ufeffb"],  # format
            *["a\ud800", "a\ue000", "a\U0010ffff", "a\u0378"],  # surrogate, private, unassigned
            *["\u3164", "a\u115fb", "\uffa0\uffa0", "a\u2800", "a\u034fb"],  # blank letters
            *["a\ufe0f", "❤\ufe0f", "a\U000e0100", "a\u180b"],  # variation selectors
            *["a\u00a0b", "a\u3000b", "a\u2003b", "a\u1680b", "a\u2028b"],  # other spaces
        ],
    )
    def test_with_a_reason_for_the_field(self, typed):
        with pytest.raises(RoomError) as caught:
            clean_username(typed)
        assert caught.value.code is Code.BAD_REQUEST
        assert caught.value.message == f"Username must be 1-{USERNAME_MAX} characters"
        assert caught.value.details[0].path == "username"


class TestWhateverIsTyped:
    @given(ANY_TEXT)
    @example("\ufeff a \ufeff")
    def test_what_is_accepted_is_accepted_again_unchanged(self, typed):
        name = accepted(typed)
        if name is not None:
            assert clean_username(name) == name

    @given(ANY_TEXT)
    def test_what_is_accepted_is_visible_and_short(self, typed):
        name = accepted(typed)
        if name is not None:
            assert 1 <= len(name) <= USERNAME_MAX
            assert name == name.strip()
            assert unicodedata.is_normalized("NFC", name)
            assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Co") for each in name)
            assert name.encode()

    @given(ANY_TEXT)
    def test_case_and_width_make_no_other_name(self, typed):
        name = accepted(typed)
        if name is not None:
            key = username_key(name)
            assert username_key(unicodedata.normalize("NFKC", name)) == key
            assert username_key(name.casefold()) == username_key(name.casefold().casefold())


class TestTheSameName:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("alice", "ALICE"),
            ("straße", "STRASSE"),
            ("Ａｌｉｃｅ", "alice"),
            ("ﬁn", "FIN"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("é", "e\u0301"),
            ("①", "1"),
            ("K", "\u212a"),
        ],
    )
    def test_in_another_spelling(self, one, other):
        assert username_key(clean_username(one)) == username_key(clean_username(other))

    @pytest.mark.parametrize(("one", "other"), [("alice", "a1ice"), ("a b", "ab"), ("e", "é")])
    def test_only_then(self, one, other):
        assert username_key(one) != username_key(other)

    @given(st.text(st.characters(max_codepoint=127), max_size=16))
    def test_by_one_rule_for_ascii_and_the_rest(self, name):
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        assert username_key(name) == folded
