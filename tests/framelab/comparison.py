"""One stream to all readers, however it is cut into reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from tests.framelab.differences import Difference, Stream, known
from tests.framelab.readers import PEERS, Make, Ours, outcome

CUT_EVERYWHERE = 300  # longer streams are cut at some places only
CUTS = 24


class Verdict(NamedTuple):
    """What comparing ours with another came to."""

    peer: str
    agrees: bool
    difference: Difference | None  # that explains why not


def compare(stream: Stream, ours: Make = Ours) -> list[Verdict]:
    """What the others say of ours, the stream read at once."""
    mine = outcome(ours(stream.max_bytes), [stream.sent])
    return [
        Verdict(peer, agrees, None if agrees else known(peer, stream, ours))
        for peer, make in PEERS.items()
        for agrees in [outcome(make(stream.max_bytes), [stream.sent]) == mine]
    ]


def unexplained(streams: Iterable[Stream], ours: Make = Ours) -> list[str]:
    """Every stream of which ours and another make something else, and nobody knows why."""
    return [
        f"{verdict.peer}, at most {stream.max_bytes}: {stream.sent[:200].hex()}"
        for stream in streams
        for verdict in compare(stream, ours)
        if not (verdict.agrees or verdict.difference)
    ]


def depends_on_reads(streams: Iterable[Stream], make: Make = Ours) -> list[str]:
    """Every stream of which a reader makes something else when it is cut in another way."""
    return [
        f"{list(map(len, reads))}: {stream.sent[:200].hex()}"
        for stream in streams
        for whole in [outcome(make(stream.max_bytes), [stream.sent])]
        for reads in ways(stream.sent)
        if outcome(make(stream.max_bytes), reads) != whole
    ]


def ways(sent: bytes) -> Iterator[list[bytes]]:
    """Byte by byte, and in two reads; of a long one, cut near its ends and anywhere."""
    yield [sent[place : place + 1] for place in range(len(sent))]
    places: Iterable[int] = range(1, len(sent))
    if len(sent) > CUT_EVERYWHERE:
        some = Random(len(sent)).sample(range(len(sent)), CUTS)
        places = {*range(1, CUTS), *range(len(sent) - CUTS, len(sent)), *some}
    for place in places:
        yield [sent[:place], sent[place:]]
