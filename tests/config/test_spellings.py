"""Slips that have nothing to do with what a variable is for."""

import pytest

from config.env import VARIABLES
from config.spellings import slips
from tests.config.test_env import refusal

NAMES = [one.name for one in VARIABLES.values()]
URL = "postgresql://ann:hush@db/rooms"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'"{URL}"', "has quotes around its value: write it without them."),
        (f"'{URL}'", "has quotes around its value: write it without them."),
        (f"\u201c{URL}\u201d", "has quotes around its value: write it without them."),
        (f"{URL} # the main one", "has a comment after its value: write it on a line of its own."),
        (f"{URL}\t#", "has a comment after its value: write it on a line of its own."),
        (f"DATABASE_URL={URL}", "repeats its own name: write only what follows DATABASE_URL=."),
        (f"\ufeff{URL}", "holds the invisible character U+FEFF: type the value anew."),
        (URL + "\u200b", "holds the invisible character U+200B: type the value anew."),
        (f"{URL}\n{URL}", "holds the invisible character U+000A: type the value anew."),
    ],
)
def test_a_value_with_something_around_it_is_told_so(text, sentence):
    assert refusal(DATABASE_URL=text) == f"DATABASE_URL {sentence}"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LOBBY_PORT", '"8000"'),
        ("GREENROOM_DATA", "'/var/lib/greenroom'"),
        ("GREENROOM_SECRET_KEY", '"hush-hush-hush"'),
        ("GREENROOM_SERVICE_KEY", "'hush-hush-hush'"),
        ("ALLOWED_ORIGINS", '"https://play.example.org"'),
    ],
)
def test_quotes_are_found_also_where_they_would_be_legal(variable, text):
    assert refusal(**{variable: text}) == (
        f"{variable} has quotes around its value: write it without them."
    )


@pytest.mark.parametrize("variable", ["LOBBY_PORT", "GREENROOM_DATA", "REDIS_URL"])
def test_a_comment_is_found_in_place_of_a_value_too(variable):
    assert "has a comment after its value" in refusal(**{variable: "# not yet"})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ALLOWED_ORIGIN", "ALLOWED_ORIGINS"),
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("database_url", "DATABASE_URL"),
        ("GREENROOM_SECRET", "GREENROOM_SECRET_KEY"),
        ("GREENROOM_LOG_LEVEL", "LOG_LEVEL"),
        ("GREENROOM_ALLOWED_HOSTS", "ALLOWED_HOSTS"),
        ("export REDIS_URL", "REDIS_URL"),
    ],
)
def test_a_name_like_ours_is_taken_for_a_slip(written, meant):
    assert slips([written, "HOME"], NAMES) == {written: meant}


def test_what_is_set_rightly_is_not_missed_elsewhere():
    assert slips(["DATABASE_URL", "DATABASE_URL_OLD", "DATABASE_URI"], NAMES) == {}


def test_other_programs_names_are_their_own():
    others = ["PATH", "HOME", "HOST", "PORT", "SECRET_KEY", "LANG", "GREENROOM_TEST_COMPLETE"]
    kubernetes = ["GREENROOM_PORT", "LOBBY_SERVICE_HOST", "LOBBY_PORT_8000_TCP", "REALTIME_PORT"]
    assert slips([*others, *kubernetes], NAMES) == {}
