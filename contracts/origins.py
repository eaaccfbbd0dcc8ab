"""Web origins: ALLOWED_ORIGINS as it is read, and the pages that it lets in, on both tiers.

Standard library only: `config/env.py` reads origins before anything is installed.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable

from contracts.refused_origins import RefusedOrigins

DEFAULT_PORTS = {"http": 80, "https": 443}
NULL = "null"  # the origin of a page opened from a file, and of a sandboxed frame
OPAQUE = ("file", "data", "blob", "about", "javascript")  # pages of these send `null`
WEB_SOCKETS = {"ws": "http", "wss": "https"}

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_APP_HOST = re.compile(r"[a-z0-9._~-]{1,253}")  # the host of an app's own scheme is opaque
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")  # as a last label: browsers read an IPv4 address
_LOOPBACK = re.compile(
    rb"https?://(?:(?:[a-z0-9_-]+\.)*localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?"
)


class IllegalOrigin(ValueError):
    """No browser ever sends this as an Origin; the message is a clause that says why."""


def parse_origin(text: str) -> str:
    """Return one entry of ALLOWED_ORIGINS in the form in which browsers send it.

    An entry is `scheme://host[:port]` or `null`. The host may start with `*.`, which stands for one
    label. Raises:
        IllegalOrigin: the entry could never match.
    """
    if text.lower() == NULL:
        return NULL
    scheme, authority = _split(text)
    host, port = _parse_port(authority)
    host = _parse_wildcard(host, scheme) if host.startswith("*.") else _parse_host(host, scheme)
    return f"{scheme}://{host}" + (f":{port}" if port != DEFAULT_PORTS.get(scheme) and port else "")


def _split(text: str) -> tuple[str, str]:
    """Return scheme and authority of an origin that has nothing else."""
    if text == "*":
        raise IllegalOrigin("* would let every page in; name the origins")
    if re.search(r"[\s\\]", text):
        raise IllegalOrigin("an origin holds no spaces and no backslashes")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or not _SCHEME.fullmatch(scheme):
        raise IllegalOrigin("it needs a scheme first, as in https://play.example.org")
    _require_sent(scheme)
    authority = rest.removesuffix("/")
    if re.search(r"[/?#]", authority):
        raise IllegalOrigin("an origin ends after its host and port, without a path or query")
    if "@" in authority:
        raise IllegalOrigin("an origin has no user name and no password")
    return scheme, authority


def _require_sent(scheme: str) -> None:
    """Raise IllegalOrigin for a scheme that no Origin header has."""
    if scheme in OPAQUE:
        raise IllegalOrigin(f"browsers send null for a {scheme}: page; write null")
    if scheme in WEB_SOCKETS:
        page = WEB_SOCKETS[scheme]
        raise IllegalOrigin(f"an origin is the page's, not the socket's; write {page}://")


def _parse_port(authority: str) -> tuple[str, int | None]:
    """Return host and port; the port may be missing."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", authority)
    if not found:
        raise IllegalOrigin("its port must be a number; an IPv6 address needs brackets")
    host, port = found[1], int(found[2]) if found[2] else None
    if port is not None and not 1 <= port <= 65535:
        raise IllegalOrigin("its port must be from 1 to 65535")
    if not host:
        raise IllegalOrigin("it needs a host after ://")
    return host, port


def _parse_wildcard(host: str, scheme: str) -> str:
    """Return a host that starts with `*.`; two labels must follow, or it names nobody's pages."""
    parent = _parse_host(host.removeprefix("*."), scheme)
    if "." not in parent or _is_numeric(parent):
        raise IllegalOrigin("at least two labels must follow *., as in https://*.example.org")
    return "*." + parent


def _parse_host(host: str, scheme: str) -> str:
    if "*" in host:
        raise IllegalOrigin("* may only be the whole first label, as in https://*.example.org")
    if host.startswith("["):
        return _parse_ipv6(host)
    if scheme not in DEFAULT_PORTS:
        return _parse_app_host(host)
    host = _to_ascii(host)
    if host.endswith("."):
        raise IllegalOrigin("its host ends with a dot; write it without")
    if not all(_LABEL.fullmatch(label) for label in host.split(".")) or len(host) > 253:
        raise IllegalOrigin("its host is no host name")
    if _is_numeric(host):
        return _parse_ipv4(host)
    return host


def _parse_app_host(host: str) -> str:
    if not _APP_HOST.fullmatch(host.lower()):
        raise IllegalOrigin("its host may hold ASCII letters, digits and . _ ~ - only")
    return host.lower()


def _to_ascii(host: str) -> str:
    """Return a host in lower case, labels beyond ASCII in punycode, as UTS 46 makes them.

    A host with other signs than letters, marks and digits is left to the caller's own `xn--` form.
    """
    if host.isascii():
        return host.lower()
    mapped = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", host).lower())
    if not all(char in "-_." or unicodedata.category(char)[0] in "LMN" for char in mapped):
        raise IllegalOrigin("its host holds signs that are no letters; write its xn-- form")
    labels = mapped.split(".")
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in labels
    )


def _is_numeric(host: str) -> bool:
    return _NUMERIC.fullmatch(host.rpartition(".")[2]) is not None


def _parse_ipv4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise IllegalOrigin("its host is no IPv4 address of four numbers") from None


def _parse_ipv6(host: str) -> str:
    """Return `[…]` in the form of RFC 5952, always in hexadecimal."""
    try:
        address = ipaddress.IPv6Address(host.strip("[]"))
    except ValueError:
        address = None
    if address is None or address.scope_id:
        raise IllegalOrigin("its host is no IPv6 address in brackets")
    if address.ipv4_mapped:
        low = int(address.ipv4_mapped)
        return f"[::ffff:{low >> 16:x}:{low & 0xFFFF:x}]"
    return f"[{address.compressed}]"


class Origins:
    """The pages that may read the answers of a tier and open sockets to it.

    `allowed` are entries in the form of `parse_origin`. `development` also allows `null` and the
    loopback origins of every port: `localhost`, `*.localhost`, 127.0.0.0/8 and `[::1]`.
    """

    def __init__(self, allowed: Iterable[str], *, development: bool = False) -> None:
        entries = [*allowed, *([NULL] if development else [])]
        self._exact = frozenset(entry.encode() for entry in entries if "*" not in entry)
        self._wildcards = frozenset(entry.encode() for entry in entries if "*" in entry)
        self._development = development
        self._refused = RefusedOrigins(allowed)

    def allow(self, origin: bytes) -> bool:
        """Return True if the Origin header `origin` is one of the allowed pages."""
        return origin in self._exact or self._allow_slowly(origin.lower())

    def _allow_slowly(self, origin: bytes) -> bool:
        if origin in self._exact:
            return True
        if self._development and _LOOPBACK.fullmatch(origin):
            return True
        return bool(self._wildcards) and _wildcard_of(origin) in self._wildcards

    def allow_reading(self, origin: bytes, host: bytes) -> bool:
        """Return True if an HTTP answer may say that the page at `origin` can read it.

        A page of the host that was asked reads it anyway. Any other refused page is logged.
        """
        if not origin:  # most callers are no pages
            return False
        if self.allow(origin):
            return True
        if not _is_own(origin, host):
            self._note(origin)
        return False

    def allow_socket(self, origin: bytes | None, host: bytes) -> bool:
        """Return True if a handshake with this Origin header, or with none, is to go on.

        A native client sends none; a page of the host that was asked is let in. Any other refused
        page is logged.
        """
        if origin is None or self.allow(origin) or _is_own(origin, host):
            return True
        self._note(origin)
        return False

    def _note(self, origin: bytes) -> None:
        """Log a refused page, with the entry that would let it in if there can be one."""
        text = origin.decode("latin-1")
        try:
            entry = None if "*" in text else parse_origin(text)
        except IllegalOrigin:
            entry = None
        self._refused.add(text, entry)


def _wildcard_of(origin: bytes) -> bytes:
    """Return the wildcard entry that would match this origin: its first label is any one."""
    scheme, separator, authority = origin.partition(b"://")
    label, dot, rest = authority.partition(b".")
    if not dot or not _LABEL.fullmatch(label.decode("latin-1")):
        return b""
    return scheme + separator + b"*." + rest


def _is_own(origin: bytes, host: bytes) -> bool:
    """Return True for a page of the very host that was asked, over http or https."""
    scheme, _, authority = origin.partition(b"://")
    return scheme in (b"http", b"https") and bool(host) and authority == host
