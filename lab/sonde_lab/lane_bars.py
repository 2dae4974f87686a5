"""Stretches of lanes as bars of pixels: as many as can be told apart, however many stretches there are.

Owns the arithmetic, for all lanes in sight at once. A stretch too narrow to be seen shares its bar with its neighbours
there, under the status that needs to be looked at most. Refuses to know what a bar looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.swim_lanes import SEVERITY, STATUSES, Lane

NARROWEST_PX: Final = 2.0  # what is narrower shares a bar; more where there are too many
TOUCHING_PX: Final = 0.01
_UNKNOWN: Final = SEVERITY["unknown"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Bar(NamedTuple):
    """From pixel to pixel on lane number `lane`. Its `stretches` begin with number `first` of that lane."""

    lane: int
    left: float
    right: float
    status: str
    first: int
    stretches: int


@dataclass(slots=True, frozen=True)
class Packed:
    """Stretches of many lanes as columns, lane after lane; what lasts ends at infinity. Lane i begins at `starts[i]`."""

    began: Floats
    ended: Floats
    severity: Ints
    lane: Ints
    starts: Ints


def pack(lanes: Sequence[Lane]) -> Packed:
    """The columns of lanes, made once for many pictures of them."""
    counts = [len(lane.stretches) for lane in lanes]
    all_ = list(chain.from_iterable(lane.stretches for lane in lanes))
    return Packed(
        np.array([each[0] for each in all_], np.float64),
        np.array([np.inf if each[1] is None else each[1] for each in all_], np.float64),
        np.array([SEVERITY.get(each[2], _UNKNOWN) for each in all_], np.int64),
        np.repeat(np.arange(len(lanes)), counts),
        np.concatenate((np.zeros(1, np.int64), np.cumsum(np.array(counts, np.int64)))),
    )


class View(NamedTuple):
    """What is looked at: lanes `lanes`, from `since` to `until` on `width` pixels. What lasts goes on until `now`."""

    lanes: range
    since: float
    until: float
    now: float
    width: float


def bars(packed: Packed, view: View, most: int = 1 << 30) -> list[Bar]:
    """What is to be drawn, lane by lane from left to right.

    Of a lane there is never more than one bar for each narrowest width, and one more between two of them. Where the
    lanes together have more than `most` bars, the narrowest width grows.
    """
    seen = _seen(packed, view)
    if not len(seen) or view.until <= view.since or view.width <= 0:
        return []
    scale = view.width / (view.until - view.since)
    left = (np.maximum(packed.began[seen], view.since) - view.since) * scale
    right = (np.minimum(packed.ended[seen], min(view.until, view.now)) - view.since) * scale
    lane, severity = packed.lane[seen], packed.severity[seen]
    narrowest = NARROWEST_PX
    while True:
        edges = _edges(lane, left, right, severity, narrowest)
        if len(edges) <= most or narrowest > view.width:
            break
        narrowest *= 2
    return _made(packed, seen, edges, np.stack((left, right)), severity, view.width)


def _seen(packed: Packed, view: View) -> Ints:
    """Numbers of the stretches in sight."""
    begin, end = (int(packed.starts[at]) for at in (view.lanes.start, view.lanes.stop))
    until = min(view.until, view.now)
    is_seen = (packed.ended[begin:end] > view.since) & (packed.began[begin:end] < until)
    return np.flatnonzero(is_seen) + begin


def _edges(lane: Ints, left: Floats, right: Floats, severity: Ints, narrowest: float) -> Ints:
    """Where bars begin: at each stretch that is wide enough or stands alone, and at the first narrow one of a slot.

    A stretch that touches one of the same status goes on with its bar.
    """
    is_wide = right - left >= narrowest
    slot = np.floor(left / narrowest)
    is_another = is_wide[1:] | is_wide[:-1] | (slot[1:] != slot[:-1])
    goes_on = (severity[1:] == severity[:-1]) & (left[1:] - right[:-1] < TOUCHING_PX)
    begins = np.ones(len(left), np.bool_)
    begins[1:] = (lane[1:] != lane[:-1]) | (is_another & ~goes_on)
    return np.flatnonzero(begins)


def _made(packed: Packed, seen: Ints, edges: Ints, sides: Floats, severity: Ints, width: float) -> list[Bar]:
    lefts = sides[0][edges]
    rights = np.minimum(np.maximum(np.maximum.reduceat(sides[1], edges), lefts + 1.0), width)
    worst = np.maximum.reduceat(severity, edges)
    lanes = packed.lane[seen[edges]]
    firsts = seen[edges] - packed.starts[lanes]
    counts = np.diff(np.append(edges, len(seen)))
    columns = (each.tolist() for each in (lanes, lefts, rights, worst, firsts, counts))
    return [
        Bar(lane, left, right, STATUSES[status], first, count)
        for lane, left, right, status, first, count in zip(*columns, strict=True)
    ]
