"""When two usernames are the same: NFKC(casefold(NFKC(name))), as the wire promises."""

from __future__ import annotations

import unicodedata


def name_key(name: str) -> str:
    """The identity of a username."""
    folded = unicodedata.normalize("NFKC", name.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)
