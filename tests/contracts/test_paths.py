import pytest

from contracts import paths


@pytest.mark.parametrize("text", ["a", "room_1", "ABC234", "x" * 64, "-", "_", "0"])
def test_ids(text):
    assert paths.is_id(text)


@pytest.mark.parametrize(
    "text",
    ["", "x" * 65, "a b", "a/b", "..", "a.b", "é", "\u0661", "a\n", "a\x00", "x" * 8192],
)
def test_what_is_no_id(text):
    assert not paths.is_id(text)


@pytest.mark.parametrize("text", ["leet99", "game-server", "c", "4-in-a-row"])
def test_parties(text):
    assert paths.is_party(text)


@pytest.mark.parametrize("text", ["", "-a", "Leet99", "a_b", "a/b", "..", "x" * 33, "chat\n", "é"])
def test_what_is_no_party(text):
    assert not paths.is_party(text)


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("abc234", "ABC234"),
        ("ABC234", "ABC234"),
        ("room_1", "room_1"),
        ("abcde", "abcde"),
        ("abcdefg", "abcdefg"),
        ("ab-cde", "ab-cde"),
        ("ábcdef", "ábcdef"),
    ],
)
def test_only_six_letters_and_digits_are_upper_cased(typed, canonical):
    assert paths.canonical_room_id(typed) == canonical


def test_paths_of_a_room():
    assert paths.register_path("chat", "R1") == "/parties/chat/R1/register"
    assert paths.state_path("chat", "R1") == "/parties/chat/R1/state"


@pytest.mark.parametrize(
    ("public", "socket"),
    [
        ("http://h:1999", "ws://h:1999"),
        ("https://h", "wss://h"),
        ("https://h/rt/", "wss://h/rt"),
        ("ws://h:1/", "ws://h:1"),
        ("wss://h", "wss://h"),
    ],
)
def test_sockets_live_at_the_public_url(public, socket):
    assert paths.sockets_url(public) == socket
