"""What an environment variable may say: each kind reads a text and knows what is legal."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, NoReturn

from config.addresses import parse_database, parse_redis, parse_url
from config.spellings import Illegal
from contracts.origins import IllegalOrigin, parse_origin

PROJECT = Path(__file__).resolve().parent.parent
UNITS_S = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
YES, NO = ("true", "yes", "1", "enabled", "y", "t"), ("false", "no", "0", "disabled", "n", "f")


def first(text: str) -> str:
    """The first of several values."""
    return text.partition(",")[0].strip()


@dataclass(frozen=True)
class Kind:
    """A kind of value. `parse` raises ValueError for an illegal text, Illegal to say more than
    `legal` does, which ends "it must be …".

    `absent` stands for a variable without text; the text of a `secret` is never repeated. `refer`
    makes what `$NAME` stands for in a later variable's default.
    """

    legal: str
    parse: Callable[[str], Any]
    absent: Any = None
    secret: bool = False
    refer: Callable[[str], str] = first


def refuse() -> NoReturn:
    raise ValueError


def shown(text: str) -> str:
    """A text as a sentence repeats it: short, and without what may be a password."""
    return "an entry" if "@" in text else repr(text[:80])


def matching(pattern: str) -> Callable[[str], str]:
    return lambda text: text if re.fullmatch(pattern, text) else refuse()


def each(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """A list; what is there twice counts once."""

    def parse_all(text: str) -> tuple[str, ...]:
        parts = [part.strip() for part in text.split(",")]
        if "" in parts:
            raise Illegal("has a comma with nothing beside it")
        return tuple(dict.fromkeys(map(parse, parts)))

    return parse_all


def choice(*options: str) -> Kind:
    def parse(text: str) -> str:
        if text in options:
            return text
        meant = [one for one in options if one.lower().startswith(text.lower())]
        if len(meant) == 1:
            raise Illegal(f"is {text!r}: write {meant[0]}")
        refuse()

    return Kind(" or ".join(options), parse)


def whole(lowest: int, highest: int) -> Kind:
    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]+([_,.' ][0-9]{3})+", text):
            raise Illegal(f"is {text[:80]!r}: write {re.sub('[^0-9]', '', text)[:80]}")
        if re.fullmatch(r"(?i)[0-9]+ ?[kmg]i?b?", text):
            raise Illegal(f"is {text[:80]!r}: write the number out, without a unit")
        if text.startswith("tcp://"):  # beside a Service that has this variable's name in it
            raise Illegal("was set by Kubernetes: set it yourself, or enableServiceLinks: false")
        number = int(matching(r"[0-9]{1,9}")(text))
        return number if lowest <= number <= highest else refuse()

    return Kind(f"a whole number from {lowest} to {highest}", parse)


def parse_seconds(text: str) -> float:
    timed = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([a-z]{1,3})", text.lower())
    if timed and timed[2] in UNITS_S:
        number = float(timed[1]) * UNITS_S[timed[2]]
        raise Illegal(f"is {text!r}: write seconds without a unit, {number:g}")
    number = float(matching(r"[0-9]{1,5}(\.[0-9]{1,6})?")(text))
    return number if 0 < number <= 86400 else refuse()


def parse_seconds_or_never(text: str) -> float:
    return 0.0 if text == "0" else parse_seconds(text)


def parse_switch(text: str) -> bool:
    lower = text.lower()
    if text != lower and lower in ("on", "off"):
        raise Illegal(f"is {text!r}: write {lower}")
    if lower in YES + NO:
        raise Illegal(f"is {text!r}: write {'on' if lower in YES else 'off'}")
    return matching("on|off")(text) == "on"


def parse_folder(text: str) -> Path:
    if re.match(r"[A-Za-z]:[\\/]|\\\\", text):
        raise Illegal(f"is {text[:80]!r}, a path of Windows: write one of this system")
    if "$" in text or "://" in text or text.startswith("file:"):
        raise Illegal(f"is {text[:80]!r}, of which nothing is expanded: write the path alone")
    try:
        return PROJECT / Path(text).expanduser()
    except RuntimeError:
        raise Illegal(f"is {text[:80]!r}: there is no such user") from None


def parse_keys(text: str) -> tuple[str, ...]:
    keys = each(matching(r"[A-Za-z0-9._~+/=-]{8,256}"))(text)
    return keys if len(keys) <= 2 else refuse()


def parse_page(text: str) -> str:
    try:
        return parse_origin(text)
    except IllegalOrigin as problem:
        raise Illegal(f"has {shown(text)} in it, which is no origin: {problem}") from None


def parse_listener(text: str) -> str:
    """A host to listen on."""
    if "://" in text:
        raise Illegal(f"is {shown(text)}, a URL: write the host alone")
    if text == "*":
        raise Illegal("is '*': write 0.0.0.0 or :: to listen on all addresses")
    if text.startswith("["):
        raise Illegal(f"is {text[:80]!r}: write an IPv6 address without brackets")
    if ":" in text and not _is_ipv6(text):
        raise Illegal(f"is {text[:80]!r}: the port has a variable of its own")
    return matching(r"[A-Za-z0-9.:_-]{1,253}")(text)


def _is_ipv6(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv6Address)
    except ValueError:
        return False


def reachable(host: str) -> str:
    """A host as a URL names it, for who wants to reach what listens on it."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        address = ip_address("::1" if address.version == 6 else "127.0.0.1")
    return f"[{address}]" if address.version == 6 else str(address)


def parse_host(text: str) -> str:
    """A host that a request may name."""
    if re.fullmatch(r"[^:]*:[0-9]+|\[.*\]:[0-9]+", text):
        raise Illegal(f"has {text[:80]!r} in it: write the host without its port")
    if _is_ipv6(text):
        raise Illegal(f"has {text[:80]!r} in it: write an IPv6 address in brackets")
    if text.startswith("*.") or text.endswith("."):
        domain = text.strip("*.")
        raise Illegal(
            f"has {text[:80]!r} in it: write {domain[:80]}, or .{domain[:80]} for all below it too"
        )
    return matching(r"[A-Za-z0-9.*\[\]:_-]{1,253}")(text)


PORT = whole(1, 65535)
COUNT = whole(1, 10_000_000)
SECONDS = Kind("seconds, more than 0 and at most 86400", parse_seconds)
SECONDS_OR_NEVER = Kind("seconds, at most 86400; 0: never", parse_seconds_or_never)
SWITCH = Kind("on or off", parse_switch)
FOLDER = Kind("a folder; a relative one starts at the project's", parse_folder)
HOST = Kind("a host name or an IP address", parse_listener, refer=reachable)
HOSTS = Kind("host names, with commas between them", each(parse_host))
ORIGINS = Kind(
    "origins like https://play.example.org, https://*.example.org, app://localhost or null, "
    "with commas between them",
    each(parse_page),
    absent=(),
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
