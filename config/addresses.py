"""The URLs that a variable may hold: those of services, of PostgreSQL and of Redis."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from config.spellings import Illegal

POSTGRESQL = ("postgresql", "postgres")
REDIS = ("redis", "rediss")


@dataclass(frozen=True)
class Database:
    """Where PostgreSQL is. Empty parts are libpq's to fill in; `options` are libpq's keywords."""

    name: str
    host: str
    port: str
    user: str
    password: str = field(repr=False)
    options: dict[str, str] = field(default_factory=dict)


def parse_url(*schemes: str) -> Callable[[str], str]:
    """A URL with a host, without user, query or fragment; read without a `/` at its end."""
    legal = " or ".join(f"{scheme}://" for scheme in schemes)

    def parse(text: str) -> str:
        if text.partition("://")[0].lower() not in schemes or "://" not in text:
            raise Illegal(f"must start with {legal}")
        if re.search(r"\s", text):
            raise Illegal("has a space in a URL")
        url = split(text)
        if "@" in url.netloc:
            raise Illegal("has a user name or password in its URL: write it without")
        if "," in url.netloc:
            raise Illegal("names several hosts: it must be one URL")
        if url.query or url.fragment:
            raise Illegal("has a URL with a query or fragment: write it without")
        return text.rstrip("/")

    return parse


def split(text: str) -> SplitResult:
    """The parts of a URL. Raises Illegal without a host, or with a port that is none."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as problem:
        about = "port" if "port" in str(problem).lower() else "host"
        raise Illegal(f"has a URL with an illegal {about}") from None
    if port == 0:
        raise Illegal("has a URL with an illegal port")
    if not url.hostname and url.scheme not in POSTGRESQL:
        raise Illegal("has a URL without a host")
    return url


def parse_redis(text: str) -> str:
    """The URL of one Redis server, as it is."""
    scheme = text.partition("://")[0].lower()
    if "sentinel" in scheme or "cluster" in scheme:
        raise Illegal("names a Sentinel or a cluster: write the URL of one server, redis://host/0")
    if scheme == "unix" or "socket" in scheme or scheme.startswith("/"):
        raise Illegal("names a socket file: Redis is reached over TCP, redis://127.0.0.1:6379/0")
    if scheme not in REDIS:
        raise Illegal("must start with redis:// or rediss://")
    require_encoded(text)
    require_one_host(text)
    url = split(text)
    if not re.fullmatch(r"(/[0-9]*)?", url.path):
        raise Illegal("has a database that is no number: write /0 at the end of its URL")
    return text


def parse_database(text: str) -> Database:
    """The parts of a PostgreSQL URL."""
    require_postgresql(text)
    require_encoded(text)
    require_one_host(text)
    url = split(text)
    name = unquote(url.path.removeprefix("/"))
    if not name or "/" in name:
        raise Illegal("needs the name of one database after the host: …/name")
    return Database(
        name=name,
        host=unquote(host_of(url)),
        port=str(url.port or ""),
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        options=parse_keywords(url.query),
    )


def host_of(url: SplitResult) -> str:
    """The host as it is written: one that is a folder, `%2Frun%2FPostgreSQL`, has its own case."""
    place = url.netloc.rpartition("@")[2]
    return place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]


def parse_keywords(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, strict_parsing=bool(query)))
    except ValueError:
        raise Illegal("has a query that is no list of keyword=value, with & between") from None


def require_postgresql(text: str) -> None:
    """Raise Illegal unless the URL is PostgreSQL's, without a driver's name in it."""
    scheme, separator, _ = text.partition("://")
    scheme = scheme.lower()
    if not separator and re.search(r"\b(host|hostaddr|dbname|service)\s*=", text):
        raise Illegal(
            "is a list of keywords: write a URL, postgresql://user:password@host:5432/name"
        )
    if scheme in POSTGRESQL and separator:
        return
    if re.fullmatch(r"(jdbc:)?(postgres|postgresql|pgsql|psql|postgis)(\+\w+)?", scheme):
        raise Illegal("has the scheme of a driver or library: write postgresql://")
    raise Illegal("must start with postgresql:// (unset, a SQLite file is used)")


def require_encoded(text: str) -> None:
    """Raise Illegal when user name or password hold a character that means something in a URL."""
    char = unencoded(text.partition("://")[2])
    if char:
        raise Illegal(
            f"has a {char!r} in its user name or password: write %{ord(char):02X} in its place"
        )
    if re.search(r"\s", text):
        raise Illegal("has a space in a URL")
    if "#" in text:
        raise Illegal("has a '#' at its end, and what follows would be lost")


def unencoded(text: str) -> str:
    """Return what should be percent-encoded before the host of `text`, a URL without its scheme.

    A URL ends its host at the first of `/?#`. An `@` after that shows that the host comes later;
    only in a query, after a path, an `@` may be the value's own.
    """
    userinfo, at, _ = text.rpartition("@")
    head, _, query = text.partition("?")
    authority = head.partition("/")[0]
    if "#" in userinfo:
        return "#"
    if "@" in authority:
        cut_short = "@" in query and "/" not in head
        return "?" if cut_short else reserved(authority.rpartition("@")[0])
    if "@" in head:
        return "/"
    if at and "/" not in head:
        return "?"
    return "/" if at and not re.fullmatch(r"(\[.*\]|[^:]*)(:[0-9]+)?", authority) else ""


def reserved(userinfo: str) -> str:
    """Return the first character of a user name and password that belongs encoded, or nothing."""
    found = re.search(r"[\[\]\s]|%(?![0-9A-Fa-f]{2})", userinfo)
    if found is None and "\ufffd" in unquote(userinfo):
        return "%"  # it stands before two digits, which are no UTF-8
    return found[0] if found else ""


def require_one_host(text: str) -> None:
    head = text.partition("://")[2].partition("?")[0]
    if "," in head.rpartition("@")[2].partition("/")[0]:
        raise Illegal("names several hosts: write one, which may be a proxy's in front of them")
