"""What the environment may say, and what is answered when it says something else."""

import dataclasses
import re

import pytest

from config import env, kinds
from config.env import VARIABLES, BadEnvironment, load
from config.kinds import PROJECT

OWN_SECRETS = {"GREENROOM_SERVICE_KEY": "k" * 40, "GREENROOM_SECRET_KEY": "s" * 60}


def refusal(**environ: str) -> str:
    with pytest.raises(BadEnvironment) as refused:
        load(environ)
    return str(refused.value)


def test_nothing_set_is_a_development_machine():
    environment = load({})
    assert environment.mode == "development"
    assert (environment.lobby_port, environment.realtime_port) == (8000, 1999)
    assert environment.database is None
    assert environment.redis_url is None
    assert environment.data == PROJECT / "var"
    assert environment.service_keys == ("dev-service-key-change-me",)


def test_an_empty_variable_counts_as_unset():
    assert load({"LOBBY_PORT": " ", "REDIS_URL": ""}) == load({})


def test_the_record_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(load({}), "lobby_port", 1)  # noqa: B010  (as nobody may, so that types refuse it)


def test_addresses_follow_from_the_port():
    environment = load({"REALTIME_PORT": "2999"})
    assert environment.realtime_urls == ("http://127.0.0.1:2999",)
    assert environment.realtime_public_url == "http://127.0.0.1:2999"


def test_the_public_address_follows_from_the_private_one():
    environment = load({"REALTIME_URL": "https://rooms.example.org/"})
    assert environment.realtime_public_url == "https://rooms.example.org"


def test_of_several_private_addresses_the_first_is_public():
    environment = load({"REALTIME_URL": "http://one:1999/ , https://two"})
    assert environment.realtime_urls == ("http://one:1999", "https://two")
    assert environment.realtime_public_url == "http://one:1999"


def test_development_lets_a_front_end_and_the_lobby_in():
    environment = load({"ALLOWED_ORIGINS": "https://Play.example.org", "LOBBY_PORT": "8100"})
    assert environment.allowed_origins == (
        "https://play.example.org",
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://localhost:8100",
        "http://127.0.0.1:8100",
    )


def test_production_lets_in_only_who_is_named():
    environment = load({"GREENROOM_ENV": "production", **OWN_SECRETS})
    assert environment.allowed_origins == ()


def test_a_database_in_its_parts():
    database = load(
        {"DATABASE_URL": "postgresql://ann:p%40ss@db:6432/rooms?sslmode=require"}
    ).database
    assert database == kinds.Database("rooms", "db", "6432", "ann", "p@ss", {"sslmode": "require"})


def test_a_database_leaves_to_the_driver_what_it_does_not_say():
    database = load({"DATABASE_URL": "postgresql://127.0.0.1/rooms"}).database
    assert database == kinds.Database("rooms", "127.0.0.1", "", "", "")


def test_two_service_keys_during_a_rotation():
    assert load({"GREENROOM_SERVICE_KEY": "new-key-1, old-key-1"}).service_keys == (
        "new-key-1",
        "old-key-1",
    )


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GREENROOM_ENV", "staging"),
        ("GREENROOM_TIER", "both"),
        ("LOBBY_PORT", "0"),
        ("LOBBY_PORT", "65536"),
        ("LOBBY_PORT", "eight"),
        ("LOBBY_PORT", "8_000"),
        ("LOBBY_HOST", "local host"),
        ("JOIN_TIMEOUT_S", "0"),
        ("JOIN_TIMEOUT_S", "-1"),
        ("JOIN_TIMEOUT_S", "nan"),
        ("JOIN_TIMEOUT_S", "1e3"),
        ("MAILBOX_SIZE", "0"),
        ("RATE_LIMITS", "no"),
        ("TRUSTED_PROXIES", "-1"),
        ("REALTIME_URL", "ws://127.0.0.1:1999"),
        ("REALTIME_URL", "http://"),
        ("REALTIME_URL", "http://127.0.0.1:99999"),
        ("REALTIME_URL", "http://127.0.0.1/?a=b"),
        ("REALTIME_URL", "http://127.0.0.1:1999,"),
        ("REALTIME_URL", "http://127.0.0.1:1999,127.0.0.1:2000"),
        ("REALTIME_PUBLIC_URL", "play.example.org"),
        ("ALLOWED_ORIGINS", "null"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://play.example.org/game"),
        ("ALLOWED_HOSTS", "a b"),
        ("GREENROOM_PARTIES", "Chess"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_an_illegal_value_is_refused_by_name_with_what_was_read_and_what_is_legal(variable, text):
    legal = {one.name: one.kind.legal for one in VARIABLES.values()}[variable]
    assert refusal(**{variable: text}) == f"{variable} is {text!r}; it must be {legal}."


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DATABASE_URL", "mysql://ann:hush@db/rooms"),
        ("DATABASE_URL", "postgresql://ann:hush@db"),
        ("DATABASE_URL", "postgresql://ann:hush@db:port/rooms"),
        ("DATABASE_URL", "postgresql://ann:hush@db/rooms?x"),
        ("REDIS_URL", "http://:hush@db"),
        ("GREENROOM_SERVICE_KEY", "hush"),
        ("GREENROOM_SERVICE_KEY", "hush hush hush"),
        ("GREENROOM_SERVICE_KEY", "hush-hush-1,hush-hush-2,hush-hush-3"),
        ("GREENROOM_SECRET_KEY", "hush"),
        ("REALTIME_URL", "https://ann:hush@rooms.example.org"),
    ],
)
def test_a_secret_is_never_repeated(variable, text):
    sentence = refusal(**{variable: text})
    assert sentence.startswith(f"{variable} has an illegal value; it must be ")
    assert "hush" not in sentence


def test_secrets_are_not_in_the_record_as_printed():
    environment = load({**OWN_SECRETS, "DATABASE_URL": "postgresql://ann:hush@db/rooms"})
    assert not any(secret in repr(environment) for secret in ("hush", "kkk", "sss"))


def test_production_names_every_weakness():
    assert refusal(GREENROOM_ENV="production", RATE_LIMITS="off") == (
        "GREENROOM_ENV=production refuses to start: GREENROOM_SERVICE_KEY is the development key; "
        "GREENROOM_SECRET_KEY is the development secret; RATE_LIMITS is off."
    )


def test_production_refuses_the_development_key_also_as_the_previous_one():
    keys = f"{'k' * 40},{env.DEV_SERVICE_KEY}"
    environ = {**OWN_SECRETS, "GREENROOM_ENV": "production", "GREENROOM_SERVICE_KEY": keys}
    assert "GREENROOM_SERVICE_KEY is the development key" in refusal(**environ)


def test_a_process_with_a_bad_environment_ends_with_a_sentence_and_status_2(monkeypatch, capsys):
    monkeypatch.setenv("LOBBY_PORT", "eight")
    with pytest.raises(SystemExit) as ended:
        env.read()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("greenroom: LOBBY_PORT is 'eight'; it must be ")


def test_the_documented_settings_are_the_settings():
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (?:`(.*?)`|–) \| (.*?) \| .+ \|$",
        (PROJECT / "docs" / "operations.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(one.name, one.default, one.kind.legal) for one in VARIABLES.values()]
