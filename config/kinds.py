"""What an environment variable may say: each kind reads a text and knows what is legal."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Kind:
    """A kind of value. `parse` raises ValueError for an illegal text; `legal` ends "it must be …".

    `absent` stands for a variable without text; the text of a `secret` is never repeated.
    """

    legal: str
    parse: Callable[[str], Any]
    absent: Any = None
    secret: bool = False


@dataclass(frozen=True)
class Database:
    """Where PostgreSQL is. Empty parts are libpq's to fill in; `options` are libpq's keywords."""

    name: str
    host: str
    port: str
    user: str
    password: str = field(repr=False)
    options: dict[str, str] = field(default_factory=dict)


def refuse() -> NoReturn:
    raise ValueError


def matching(pattern: str) -> Callable[[str], str]:
    return lambda text: text if re.fullmatch(pattern, text) else refuse()


def each(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    return lambda text: tuple(parse(part.strip()) for part in text.split(","))


def choice(*options: str) -> Kind:
    return Kind(" or ".join(options), lambda text: text if text in options else refuse())


def whole(lowest: int, highest: int) -> Kind:
    def parse(text: str) -> int:
        number = int(matching(r"[0-9]{1,9}")(text))
        return number if lowest <= number <= highest else refuse()

    return Kind(f"a whole number from {lowest} to {highest}", parse)


def parse_seconds(text: str) -> float:
    number = float(matching(r"[0-9]{1,5}(\.[0-9]{1,6})?")(text))
    return number if 0 < number <= 86400 else refuse()


def parse_seconds_or_never(text: str) -> float:
    return 0.0 if text == "0" else parse_seconds(text)


def parse_switch(text: str) -> bool:
    return matching("on|off")(text) == "on"


def parse_folder(text: str) -> Path:
    return PROJECT / Path(text).expanduser()


def parse_keys(text: str) -> tuple[str, ...]:
    keys = each(matching(r"[A-Za-z0-9._~+/=-]{8,256}"))(text)
    return keys if len(keys) <= 2 else refuse()


def parse_origin(text: str) -> str:
    return matching(r"https?://[^/]+")(parse_url("http", "https")(text)).lower()


def parse_url(*schemes: str) -> Callable[[str], str]:
    """A URL with a host, without user, query or fragment; read without a `/` at its end."""

    def parse(text: str) -> str:
        url = urlsplit(text)
        superfluous = url.query or url.fragment or "@" in url.netloc or re.search(r"\s", text)
        if url.scheme not in schemes or not url.hostname or url.port == 0 or superfluous:
            refuse()
        return text.rstrip("/")

    return parse


def parse_redis(text: str) -> str:
    url = urlsplit(text)
    usable = url.scheme in ("redis", "rediss") and url.hostname and url.port != 0
    number = url.path.removeprefix("/")
    return text if usable and (not number or number.isdecimal()) else refuse()


def parse_database(text: str) -> Database:
    url = urlsplit(text)
    name = unquote(url.path.removeprefix("/"))
    if url.scheme not in ("postgresql", "postgres") or not name or "/" in name:
        refuse()
    return Database(
        name=name,
        host=unquote(url.hostname or ""),
        port=str(url.port or ""),
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        options=dict(parse_qsl(url.query, strict_parsing=bool(url.query))),
    )


PORT = whole(1, 65535)
COUNT = whole(1, 10_000_000)
SECONDS = Kind("seconds, more than 0 and at most 86400", parse_seconds)
SECONDS_OR_NEVER = Kind("seconds, at most 86400; 0: never", parse_seconds_or_never)
SWITCH = Kind("on or off", parse_switch)
FOLDER = Kind("a folder; a relative one starts at the project's", parse_folder)
HOST = Kind("a host name or an IP address", matching(r"[A-Za-z0-9.:_-]{1,253}"))
HOSTS = Kind("host names, with commas between them", each(matching(r"[A-Za-z0-9.:*\[\]_-]{1,253}")))
ORIGINS = Kind(
    "origins like https://play.example.org, with commas between them", each(parse_origin), absent=()
)
HTTP_URLS = Kind(
    "an http:// or https:// URL, or several with commas between them",
    each(parse_url("http", "https")),
)
PUBLIC_URL = Kind(
    "an http://, https://, ws:// or wss:// URL", parse_url("http", "https", "ws", "wss")
)
DATABASE = Kind("like postgresql://user:password@host:5432/name", parse_database, secret=True)
REDIS = Kind("like redis://127.0.0.1:6379/0", parse_redis, secret=True)
SECRET = Kind("8 to 256 printable ASCII characters", matching(r"[!-~]{8,256}"), secret=True)
KEYS = Kind(
    "a key, or two with a comma between them, each 8 to 256 letters, digits or . _ ~ + / = -",
    parse_keys,
    secret=True,
)
CLASSES = Kind(
    "dotted paths of Party classes, with commas between them",
    each(matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")),
    absent=(),
)
