"""Who may call: the lobby by a service key, a player by a token."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from contracts import jsonio
from contracts.http import RegisterRequest


def token_hash(token: str) -> str:
    """What is kept of a token: its SHA-256, hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def fingerprint(request: RegisterRequest) -> str:
    """SHA-256 of a decoded register body, by which the same request is recognised."""
    return hashlib.sha256(jsonio.encode(request)).hexdigest()


class ServiceKeys:
    """The keys other services may show; two of them while one is being replaced."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._expected = [b"Bearer " + key.encode() for key in keys]

    def allow(self, authorization: bytes) -> bool:
        """Whether this header holds one of the keys, in time that does not depend on it."""
        found = [hmac.compare_digest(authorization, expected) for expected in self._expected]
        return any(found)
