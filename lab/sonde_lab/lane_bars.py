"""Stretches of a lane as bars of pixels: as many as can be told apart, however many stretches there are.

Owns the arithmetic. A stretch too narrow to be seen shares its bar with its neighbours there, under the status that
needs to be looked at most. Refuses to know what a bar looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.swim_lanes import SEVERITY, STATUSES, Lane

NARROWEST_PX: Final = 2.0  # what is narrower shares a bar; more where there are too many
_UNKNOWN: Final = SEVERITY["unknown"]


class Bar(NamedTuple):
    """From pixel to pixel. `stretches` are in it, the first of them number `first` of the lane."""

    left: float
    right: float
    status: str
    first: int
    stretches: int


@dataclass(slots=True, frozen=True)
class Packed:
    """A lane's stretches as columns; what lasts ends at infinity."""

    began: NDArray[np.float64]
    ended: NDArray[np.float64]
    severity: NDArray[np.int64]


def pack(lane: Lane) -> Packed:
    """A lane's columns, made once for many pictures of it."""
    stretches = lane.stretches
    return Packed(
        np.array([each.began for each in stretches], np.float64),
        np.array([np.inf if each.ended is None else each.ended for each in stretches], np.float64),
        np.array([SEVERITY.get(each.status, _UNKNOWN) for each in stretches], np.int64),
    )


def bars(
    packed: Packed, since: float, until: float, now: float, width: float, narrowest: float = NARROWEST_PX
) -> list[Bar]:
    """What is to be drawn on `width` pixels from `since` to `until`, left to right; what lasts goes on until `now`.

    There is never more than one bar for each `narrowest` pixels, and one more between two of them.
    """
    first = int(np.searchsorted(packed.ended, since, side="right"))
    last = int(np.searchsorted(packed.began, min(until, now), side="left"))
    if first >= last or until <= since or width <= 0:
        return []
    scale = width / (until - since)
    left = (np.maximum(packed.began[first:last], since) - since) * scale
    right = (np.minimum(packed.ended[first:last], min(until, now)) - since) * scale
    edges = _edges(left, right, narrowest)
    lefts, rights = left[edges], np.maximum.reduceat(right, edges)
    worst = np.maximum.reduceat(packed.severity[first:last], edges)
    counts = np.diff(np.append(edges, last - first))
    return [
        Bar(begin, min(width, max(end, begin + 1.0)), STATUSES[severity], first + place, count)
        for begin, end, severity, place, count in zip(
            lefts.tolist(), rights.tolist(), worst.tolist(), edges.tolist(), counts.tolist(), strict=True
        )
    ]


def _edges(left: NDArray[np.float64], right: NDArray[np.float64], narrowest: float) -> NDArray[np.int64]:
    """Where a bar begins: at each stretch that is wide enough, and at the first narrow one of each slot."""
    is_wide = right - left >= narrowest
    slot = np.floor(left / narrowest)
    begins = np.ones(len(left), np.bool_)
    begins[1:] = is_wide[1:] | is_wide[:-1] | (slot[1:] != slot[:-1])
    return np.flatnonzero(begins)
