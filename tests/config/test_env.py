"""What the environment may say, and what is answered when it says something else."""

import dataclasses
import re

import pytest

from config import env
from config.addresses import Database
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


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.2", "127.0.0.2"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("0:0:0:0:0:0:0:0", "[::1]"),
        ("FE80:0::A", "[fe80::a]"),
        ("rooms.internal", "rooms.internal"),
    ],
)
def test_addresses_follow_from_the_host(host, reached):
    environment = load({"REALTIME_HOST": host, "REALTIME_PORT": "2999"})
    assert environment.realtime_urls == (f"http://{reached}:2999",)
    assert environment.realtime_public_url == f"http://{reached}:2999"
    assert reached in load({"LOBBY_HOST": host}).allowed_hosts


def test_the_lobby_may_be_asked_by_the_names_that_it_always_had():
    assert load({}).allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert load({"LOBBY_HOST": "::"}).allowed_hosts == ("localhost", "127.0.0.1", "[::1]")


def test_the_public_address_follows_from_the_private_one():
    environment = load({"REALTIME_URL": "https://rooms.example.org/"})
    assert environment.realtime_public_url == "https://rooms.example.org"


def test_of_several_private_addresses_the_first_is_public():
    environment = load({"REALTIME_URL": "http://one:1999/ , https://two"})
    assert environment.realtime_urls == ("http://one:1999", "https://two")
    assert environment.realtime_public_url == "http://one:1999"


def test_origins_are_read_as_browsers_send_them():
    text = (
        "https://Play.example.org:443/, capacitor://localhost ,https://*.preview.example.org,null"
    )
    assert load({"ALLOWED_ORIGINS": text}).allowed_origins == (
        "https://play.example.org",
        "capacitor://localhost",
        "https://*.preview.example.org",
        "null",
    )


@pytest.mark.parametrize("text", ["*", "https://play.example.org/game", "https://*.org", "x.org"])
def test_an_origin_that_can_never_match_is_named_with_the_reason(text):
    sentence = refusal(ALLOWED_ORIGINS=f"https://fine.example.org,{text}")
    assert sentence.startswith(f"ALLOWED_ORIGINS has {text!r} in it, which is no origin: ")


def test_an_origin_with_a_password_is_not_repeated():
    sentence = refusal(ALLOWED_ORIGINS="https://ann:hush@play.example.org")
    assert "no user name" in sentence
    assert "hush" not in sentence


def test_production_lets_in_only_who_is_named():
    environment = load({"GREENROOM_ENV": "production", **OWN_SECRETS})
    assert environment.allowed_origins == ()


def test_a_database_in_its_parts():
    database = load(
        {"DATABASE_URL": "postgresql://ann:p%40ss@db:6432/rooms?sslmode=require"}
    ).database
    assert database == Database("rooms", "db", "6432", "ann", "p@ss", {"sslmode": "require"})


def test_a_database_leaves_to_the_driver_what_it_does_not_say():
    database = load({"DATABASE_URL": "postgresql://127.0.0.1/rooms"}).database
    assert database == Database("rooms", "127.0.0.1", "", "", "")


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
        ("LOBBY_HOST", "local host"),
        ("JOIN_TIMEOUT_S", "0"),
        ("JOIN_TIMEOUT_S", "-1"),
        ("JOIN_TIMEOUT_S", "nan"),
        ("JOIN_TIMEOUT_S", "1e3"),
        ("MAILBOX_SIZE", "0"),
        ("TRUSTED_PROXIES", "-1"),
        ("ALLOWED_HOSTS", "a b"),
        ("GREENROOM_PARTIES", "Chess"),
        ("LOG_LEVEL", "loud"),
        ("RATE_LIMITS", "maybe"),
        ("JOIN_TIMEOUT_S", "10 parsecs"),
    ],
)
def test_an_illegal_value_is_refused_by_name_with_what_was_read_and_what_is_legal(variable, text):
    legal = {one.name: one.kind.legal for one in VARIABLES.values()}[variable]
    assert refusal(**{variable: text}) == f"{variable} is {text!r}; it must be {legal}."


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("RATE_LIMITS", "true", "is 'true': write on"),
        ("RATE_LIMITS", "ON", "is 'ON': write on"),
        ("RATE_LIMITS", "0", "is '0': write off"),
        ("VERIFY_STATE", "No", "is 'No': write off"),
        ("GREENROOM_ENV", "Production", "is 'Production': write production"),
        ("GREENROOM_ENV", "prod", "is 'prod': write production"),
        ("LOG_LEVEL", "warn", "is 'warn': write WARNING"),
        ("JOIN_TIMEOUT_S", "10s", "is '10s': write seconds without a unit, 10"),
        ("COMMIT_DEADLINE_S", "500ms", "is '500ms': write seconds without a unit, 0.5"),
        ("EMPTY_ROOM_S", "5 min", "is '5 min': write seconds without a unit, 300"),
        ("SEAT_GRACE_S", "1h", "is '1h': write seconds without a unit, 3600"),
        ("LOBBY_PORT", "8_000", "is '8_000': write 8000"),
        ("SOCKET_QUEUE_BYTES", "262,144", "is '262,144': write 262144"),
        ("SOCKET_QUEUE_BYTES", "256KiB", "is '256KiB': write the number out, without a unit"),
        (
            "LOBBY_PORT",
            "tcp://10.0.0.1:80",
            "was set by Kubernetes: set it yourself, or enableServiceLinks: false",
        ),
        ("LOBBY_HOST", "[::1]", "is '[::1]': write an IPv6 address without brackets"),
        ("LOBBY_HOST", "*", "is '*': write 0.0.0.0 or :: to listen on all addresses"),
        ("LOBBY_HOST", "localhost:80", "is 'localhost:80': the port has a variable of its own"),
        ("REALTIME_HOST", "http://x", "is 'http://x', a URL: write the host alone"),
        ("ALLOWED_HOSTS", "a.org:80", "has 'a.org:80' in it: write the host without its port"),
        ("ALLOWED_HOSTS", "::1", "has '::1' in it: write an IPv6 address in brackets"),
        (
            "ALLOWED_HOSTS",
            "*.a.org",
            "has '*.a.org' in it: write a.org, or .a.org for all below it too",
        ),
        (
            "GREENROOM_DATA",
            "C:\\rooms",
            "is 'C:\\\\rooms', a path of Windows: write one of this system",
        ),
        (
            "GREENROOM_DATA",
            "$HOME/rooms",
            "is '$HOME/rooms', of which nothing is expanded: write the path alone",
        ),
        ("GREENROOM_DATA", "~nobody-at-all/x", "is '~nobody-at-all/x': there is no such user"),
        ("REALTIME_URL", "ws://127.0.0.1:1999", "must start with http:// or https://"),
        ("REALTIME_URL", "http://", "has a URL without a host"),
        ("REALTIME_URL", "http://127.0.0.1:99999", "has a URL with an illegal port"),
        (
            "REALTIME_URL",
            "http://127.0.0.1/?a=b",
            "has a URL with a query or fragment: write it without",
        ),
        ("REALTIME_URL", "http://127.0.0.1:1999,", "has a comma with nothing beside it"),
        ("REALTIME_URL", "http://one,two:2000", "must start with http:// or https://"),
        (
            "REALTIME_PUBLIC_URL",
            "play.example.org",
            "must start with http:// or https:// or ws:// or wss://",
        ),
        ("REALTIME_PUBLIC_URL", "ws://one,ws://two", "names several hosts: it must be one URL"),
        (
            "REALTIME_URL",
            "https://ann:hush@rooms.example.org",
            "has a user name or password in its URL: write it without",
        ),
    ],
)
def test_a_value_that_is_nearly_right_is_told_what_to_write(variable, text, sentence):
    assert refusal(**{variable: text}) == f"{variable} {sentence}."


@pytest.mark.parametrize("text", [" 8000 ", "8000\r", "\t8000\r\n", "\xa08000"])
def test_space_around_a_value_and_a_windows_line_end_are_nothing(text):
    assert load({"LOBBY_PORT": text}).lobby_port == 8000


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
    assert sentence.startswith(f"{variable} ")
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


def test_a_name_that_is_nearly_ours_is_asked_about_and_stops_nothing(monkeypatch, capsys):
    monkeypatch.delenv("REALTIME_PUBLIC_URL", raising=False)
    monkeypatch.setenv("REALTIME_PUBLIC_URI", "https://rooms.example.org")
    env.read()
    assert capsys.readouterr().err == (
        "greenroom: REALTIME_PUBLIC_URI is no variable of ours; is REALTIME_PUBLIC_URL meant?\n"
    )


def test_the_documented_settings_are_the_settings():
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (?:`(.*?)`|–) \| (.*?) \| .+ \|$",
        (PROJECT / "docs" / "operations.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(one.name, one.default, one.kind.legal) for one in VARIABLES.values()]
