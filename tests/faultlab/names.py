"""Names that are the same, though they are written with other letters."""

from __future__ import annotations

from random import Random

# Each line is one name, four times.
NAMES = (
    ("Zoë", "ZOË", "zoe\u0308", "Ｚｏë"),
    ("ﬁsh", "fish", "FISH", "Ｆish"),
    ("Straße", "STRASSE", "strasse", "ſtrasse"),
    ("Bot 1", "BOT 1", "bot 1", "Ｂot 1"),
)


def some_name(chance: Random) -> str:
    return chance.choice(chance.choice(NAMES))
