"""What goes wrong on the way into the environment, whatever the variable: quotes, comments, names.

Files of `NAME=value` lines are read by shells, Docker and systemd, each by rules of its own.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable

QUOTES = "\"'`\u2018\u2019\u201c\u201d"
ALIKE = 0.85  # how similar a name must be to one of ours to be taken for a slip
PREFIX = "GREENROOM_"


class Illegal(ValueError):
    """A value is illegal. The message goes on after the variable's name: "has quotes around …".

    It says what is wrong and what to write, and never repeats a secret.
    """


def require_plain(name: str, text: str) -> None:
    """Raise Illegal for a value with something around it that its file's reader has left there."""
    if len(text) > 1 and text[0] in QUOTES and text[-1] in QUOTES:
        raise Illegal("has quotes around its value: write it without them")
    if text.startswith(f"{name}="):
        raise Illegal(f"repeats its own name: write only what follows {name}=")
    if re.search(r"\s#|^#\s", text):
        raise Illegal("has a comment after its value: write it on a line of its own")
    for char in text:
        if unicodedata.category(char) in ("Cc", "Cf"):
            raise Illegal(f"holds the invisible character U+{ord(char):04X}: type the value anew")


def slips(found: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return the names in `found` that look like slips, each with the known one that is missing."""
    missing = [*{*known} - {*found}]
    pairs = {name: _meant(name, missing) for name in sorted({*found} - {*known})}
    return {name: meant for name, meant in pairs.items() if meant}


def _meant(name: str, missing: list[str]) -> str:
    """Return the variable that somebody who wrote `name` has meant, or nothing."""
    bare = name.upper().removeprefix("EXPORT ").replace("-", "_").strip()
    for spelling in (bare, bare.removeprefix(PREFIX)):
        if spelling in missing:
            return spelling
    if bare.startswith(PREFIX) or len(bare) >= len("REDIS_URL"):
        return next(iter(difflib.get_close_matches(bare, missing, 1, ALIKE)), "")
    return ""
