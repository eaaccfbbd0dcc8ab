"""What Greenroom is to reach beside each of its peers, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.contests import CPU, DELIVERIES, HANDSHAKES, MEMORY, P99, REQUESTS, Measured
from benchmarks.figures import table

SQLITE, POSTGRESQL = "Greenroom, SQLite", "Greenroom, PostgreSQL"
HEAD = ["", "of", "beside", "wanted", "measured", "reached"]

Rounds = Mapping[str, Sequence[Measured]]  # by service


class Claim(NamedTuple):
    """A ratio to reach: so many times the figure of a peer, or of the better of several."""

    contest: str
    beside: tuple[str, ...]
    times: float
    figure: str
    at_most: bool = False  # else at least
    ours: str = SQLITE

    @property
    def wanted(self) -> str:
        return f"{'at most' if self.at_most else 'at least'} {self.times:g}"

    def is_reached(self, ratio: float) -> bool:
        return ratio <= self.times if self.at_most else ratio >= self.times


CLAIMS = [
    Claim("burst", ("ws",), 10, DELIVERIES),
    Claim("burst", ("socket.io",), 12, DELIVERIES),
    Claim("burst", ("Colyseus",), 15, DELIVERIES),
    Claim("burst", ("partyserver",), 30, DELIVERIES),
    Claim("burst", ("Channels, Redis", "Channels, memory"), 300, DELIVERIES),
    Claim("burst", ("Bun",), 0.8, DELIVERIES),
    Claim("kept", ("ws",), 3, DELIVERIES),
    Claim("kept", ("ws",), 3, DELIVERIES, ours=POSTGRESQL),
    Claim("paced", ("ws",), 0.85, CPU, at_most=True),
    Claim("paced", ("ws",), 1.5, P99, at_most=True),
    Claim("rooms", ("ws",), 5, DELIVERIES),
    Claim("rooms", ("Colyseus",), 5, DELIVERIES),
    Claim("idle", ("ws",), 0.7, HANDSHAKES),
    Claim("idle", ("ws",), 2, MEMORY, at_most=True),
    Claim("lobby", ("Colyseus",), 2, REQUESTS),
    Claim("lobby", ("Colyseus",), 2, REQUESTS, ours=POSTGRESQL),
    Claim("lobby", ("Node + workerd",), 2.5, REQUESTS),
    Claim("lobby", ("Node + workerd",), 2.5, REQUESTS, ours=POSTGRESQL),
]


def judged(measured: Mapping[str, Rounds]) -> str:
    """A table of all claims about the contests that were held."""
    return table(
        HEAD, [row(one, measured[one.contest]) for one in CLAIMS if one.contest in measured]
    )


def row(claim: Claim, rounds: Rounds) -> list[str]:
    ratio = ratio_of(claim, rounds)
    beside = " or ".join(claim.beside)
    about = [
        f"{claim.contest}, {claim.ours.rpartition(' ')[2]}",
        claim.figure,
        beside,
        claim.wanted,
    ]
    if ratio is None:
        return [*about, "not measured", ""]
    return [*about, f"{ratio:.2f}", "yes" if claim.is_reached(ratio) else "no"]


def ratio_of(claim: Claim, rounds: Rounds) -> float | None:
    """The median of the rounds' ratios: what slows a round slows both."""
    peers = [rounds[name] for name in claim.beside if name in rounds]
    if not peers or claim.ours not in rounds:
        return None
    better = min if claim.at_most else max
    figures: list[list[float]] = [
        [one.figure(claim.figure) for one in each] for each in (rounds[claim.ours], *peers)
    ]
    middle: float = median(own / better(theirs) for own, *theirs in zip(*figures, strict=True))
    return middle
