"""How long phases are drawn that last from a tenth of a millisecond to twenty seconds: in proportion, the longest cut.

Pure. A phase that is much longer than all shorter ones together is drawn shorter than it is and marked as cut, so that
the others can still be compared; every other phase is drawn to one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

LONGEST: Final = 1.5  # times all shorter phases together
SHORTEST_MS: Final = 2.0  # so little is never cut


class Span(NamedTuple):
    """Where a phase is drawn, as shares of the width. `per_ms`: the share that a millisecond has in it."""

    begin: float
    width: float
    per_ms: float
    is_cut: bool


def spans(durations_ms: Sequence[float]) -> list[Span]:
    """Where phases of these durations are drawn, one after the other, over the whole width."""
    drawn = list(durations_ms)
    shorter = 0.0  # all that are shorter, as they are drawn
    for place in sorted(range(len(drawn)), key=lambda place: durations_ms[place]):
        if shorter:  # the shortest of all is whole
            drawn[place] = min(durations_ms[place], LONGEST * max(SHORTEST_MS, shorter))
        shorter += drawn[place]
    whole = sum(drawn)
    out, begin = [], 0.0
    for duration, length in zip(durations_ms, drawn, strict=True):
        width = length / whole if whole else 0.0
        is_cut = length < duration
        per_ms = width / duration if is_cut else 1 / whole if whole else 0.0
        out.append(Span(begin, width, per_ms, is_cut))
        begin += width
    return out
