"""From measurements to a table: medians, ratios, Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

HEAD = ["", "requests/s", "create p50 / p99, ms", "join p50 / p99, ms", "CPU, us/request"]


class Side(NamedTuple):
    """What the clients of one port were answered."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    worst_ms: float


class Round(NamedTuple):
    """What one round of load measured."""

    requests_per_s: float
    latencies_ms: dict[str, float]  # "create p50" …
    cpu_us: dict[str, float]  # for each request, by what took it
    sides: tuple[Side, ...]  # by port
    busy_cores: float  # seconds of CPU in a second, the client's among them

    @classmethod
    def read(cls, said: dict[str, Any], spent_s: dict[str, float]) -> Round:
        """From what the client said, and the CPU time that was spent on its requests."""
        requests, seconds = said["requests"], said["seconds"]
        return cls(
            requests_per_s=requests / seconds,
            latencies_ms={
                f"{kind} {name}": said[kind][f"{name}_ms"]
                for kind in ("create", "join")
                for name in ("p50", "p99", "worst")
            },
            cpu_us={name: spent * 1e6 / requests for name, spent in spent_s.items()},
            sides=tuple(
                Side(one["requests"] / seconds, one["p50_ms"], one["p99_ms"], one["worst_ms"])
                for one in said["ports"]
            ),
            busy_cores=(sum(spent_s.values()) + said["cpu_s"]) / seconds,
        )


def row(name: str, rounds: Sequence[Round]) -> list[str]:
    """A service's line in the table under `HEAD`."""
    ms = medians([one.latencies_ms for one in rounds])
    return [
        name,
        spread([one.requests_per_s for one in rounds]),
        f"{ms['create p50']:.1f} / {ms['create p99']:.1f}",
        f"{ms['join p50']:.1f} / {ms['join p99']:.1f}",
        shares(medians([one.cpu_us for one in rounds])),
    ]


def side(rounds: Sequence[Side]) -> str:
    """The clients of one port, in medians: `512/s, 9.1 / 20.4 / 61.0`."""
    per_s, *ms = (median(figures) for figures in zip(*rounds, strict=True))
    return f"{per_s:,.0f}/s, " + " / ".join(f"{one:.1f}" for one in ms)


def ratio(rounds: Sequence[Round], others: Sequence[Round]) -> str:
    """How many times the others' requests, round by round: what slows a round slows both."""
    pairs = zip(rounds, others, strict=True)
    return f"{median(one.requests_per_s / other.requests_per_s for one, other in pairs):.2f}"


def medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each named figure."""
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and between which values it lies: `2,512 (2,480-2,540)`."""
    low, high = min(values), max(values)
    return f"{median(values):,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def shares(parts: dict[str, float], digits: int = 0) -> str:
    """A sum and what it is made of: `389 = lobby 215 + realtime 174`."""
    shown = {name: round(part, digits) for name, part in parts.items() if round(part, digits)}
    total = f"{sum(shown.values()):.{digits}f}"
    if len(shown) < 2:
        return total
    return f"{total} = " + " + ".join(f"{name} {part:.{digits}f}" for name, part in shown.items())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown in aligned columns: names on the left, figures on the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in (head, rule, *rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *figures = cells
    padded = [name.ljust(widths[0]), *map(str.rjust, figures, widths[1:])]
    return f"| {' | '.join(padded)} |"
