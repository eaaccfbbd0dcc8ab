"""The URLs of PostgreSQL and Redis: what is read, and what is said of those that are wrong."""

import pytest

from config.addresses import Database
from config.env import load
from tests.config.test_env import refusal

IN_PLACE = "has a {!r} in its user name or password: write {} in its place."


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("postgres://db/rooms", Database("rooms", "db", "", "", "")),
        ("postgresql://[::1]:5432/rooms", Database("rooms", "::1", "5432", "", "")),
        ("postgresql:///rooms", Database("rooms", "", "", "", "")),
        ("postgres://%2Frun%2FPG/rooms", Database("rooms", "/run/PG", "", "", "")),
        ("postgres:///rooms?host=/run/PG", Database("rooms", "", "", "", "", {"host": "/run/PG"})),
        ("postgres://db/rooms?user=a@b", Database("rooms", "db", "", "", "", {"user": "a@b"})),
        ("postgres://ann:p@ss@db/rooms", Database("rooms", "db", "", "ann", "p@ss")),
        ("postgres://ann:a%23b%3Fc%2Fd%25@db/r", Database("r", "db", "", "ann", "a#b?c/d%")),
        ("postgres://a%40b:%C5%82@db/na%2Dme", Database("na-me", "db", "", "a@b", "ł")),
        ("postgres://db/rooms\r", Database("rooms", "db", "", "", "")),
    ],
)
def test_a_database_is_read(url, database):
    assert load({"DATABASE_URL": url}).database == database


@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL"])
@pytest.mark.parametrize("start", ["hu", "12"])  # digits look like a port
@pytest.mark.parametrize(
    ("char", "code"), [("#", "%23"), ("?", "%3F"), ("/", "%2F"), ("[", "%5B"), ("%", "%25")]
)
def test_a_password_with_a_character_of_urls_is_told_how_to_write_it(variable, start, char, code):
    scheme = {"DATABASE_URL": "postgresql", "REDIS_URL": "rediss"}[variable]
    for url in (f"{scheme}://ann:{start}{char}sh@db/1", f"{scheme}://:{start}{char}sh@db:6432/1"):
        assert refusal(**{variable: url}) == f"{variable} {IN_PLACE.format(char, code)}"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgres://ann:hu sh@db/r", IN_PLACE.format(" ", "%20")),
        ("postgres://ann:hu/s?sh@db/r", IN_PLACE.format("/", "%2F")),
        ("postgres://ann:hu?s/sh@db/r", IN_PLACE.format("?", "%3F")),
        ("postgres://ann:a%b2c@db/r", IN_PLACE.format("%", "%25")),
        ("postgres://ann:hush@one:5432,two:5432/r", "names several hosts: "),
        ("postgres://one,two/r", "names several hosts: "),
        ("host=db dbname=r password=hush", "is a list of keywords: write a URL, "),
        ("postgresql+psycopg://ann:hush@db/r", "has the scheme of a driver or library: "),
        ("postgis://ann:hush@db/r", "has the scheme of a driver or library: "),
        ("jdbc:postgresql://ann:hush@db/r", "has the scheme of a driver or library: "),
        ("mysql://ann:hush@db/r", "must start with postgresql:// "),
        ("sqlite:///r", "must start with postgresql:// "),
        ("ann:hush@db/r", "must start with postgresql:// "),
        ("postgres://ann:hush@db", "needs the name of one database"),
        ("postgres://ann:hush@db/r/s", "needs the name of one database"),
        ("postgres://ann:hush@db:port/r", "has a URL with an illegal port."),
        ("postgres://ann:hush@db:0/r", "has a URL with an illegal port."),
        ("postgres://ann:hush@db:65536/r", "has a URL with an illegal port."),
        ("postgres://ann:hush@[::1/r", "has a URL with an illegal host."),
        ("postgres://ann:hush@db/r#hush", "has a '#' at its end"),
        ("postgres://ann:hush@db/r?hush", "has a query that is no list of keyword=value"),
    ],
)
def test_a_database_that_cannot_be_read_is_told_why_without_its_password(url, sentence):
    said = refusal(DATABASE_URL=url)
    assert said.startswith(f"DATABASE_URL {sentence}")
    assert "hush" not in said


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis+sentinel://:hush@one:26379/mymaster/0", "names a Sentinel or a cluster: "),
        ("redis-sentinel://:hush@one:26379/mymaster", "names a Sentinel or a cluster: "),
        ("sentinel://one", "names a Sentinel or a cluster: "),
        ("rediss+cluster://one", "names a Sentinel or a cluster: "),
        ("unix:///run/redis.sock", "names a socket file: "),
        ("redis+socket:///run/redis.sock", "names a socket file: "),
        ("/run/redis.sock", "names a socket file: "),
        ("redis://:hush@one:6379,two:6379/0", "names several hosts: "),
        ("valkey://:hush@one", "must start with redis:// or rediss://."),
        ("one:6379", "must start with redis:// or rediss://."),
        ("redis://:hush@one/main", "has a database that is no number: "),
        ("redis://:hush@one/0/1", "has a database that is no number: "),
        ("redis://:hush@one:port", "has a URL with an illegal port."),
        ("redis://", "has a URL without a host."),
        ("redis://:hush@one/0#hush", "has a '#' at its end"),
    ],
)
def test_a_redis_that_cannot_be_read_is_told_why_without_its_password(url, sentence):
    said = refusal(REDIS_URL=url)
    assert said.startswith(f"REDIS_URL {sentence}")
    assert "hush" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://one",
        "redis://one:6379/",
        "rediss://:p%23@one/1?ssl_cert_reqs=none",
        "redis://[::1]/0",
    ],
)
def test_a_redis_is_taken_as_it_is(url):
    assert load({"REDIS_URL": url}).redis_url == url
