"""What stands out in the rows, and where the next of it is: marks, faults that somebody injected, closes.

Owns an index of the ring that costs the new rows only, so that asking is cheap however often it is done.
"""

from __future__ import annotations

import enum
from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring


class Landmark(enum.StrEnum):
    """What a person may go to."""

    MARK = "mark"  # marked, or commented
    FAULT = "fault"  # made happen on purpose
    CLOSE = "close"


class Landmarks:
    """Those of one ring."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._seen = ring.first_id
        self._touches = -1
        self._rows: dict[Landmark, list[int]] = {each: [] for each in Landmark}

    def next(self, what: Landmark, row_id: int, step: int) -> int | None:
        """The nearest one after (`step` 1) or before (-1) a row; `None` where there is none."""
        self._follow()
        rows = self._rows[what]
        place = bisect_right(rows, row_id) if step > 0 else bisect_left(rows, row_id) - 1
        return rows[place] if 0 <= place < len(rows) else None

    def _follow(self) -> None:
        ring = self._ring
        for rows in self._rows.values():
            del rows[: bisect_left(rows, ring.first_id)]
        new = range(max(self._seen, ring.first_id), ring.next_id)
        if new:
            self._take(new)
        if ring.touches != self._touches:  # somebody marked, or took a mark off, anywhere
            self._rows[Landmark.MARK] = self._marked(ring.ids)
        self._seen, self._touches = ring.next_id, ring.touches

    def _take(self, ids: range) -> None:
        kind, flags = self._ring.column("kind", ids), self._ring.column("flags", ids)
        self._rows[Landmark.CLOSE] += _places(kind == Kind.CLOSE, ids)
        is_fault = (kind == Kind.ACT) & ((flags & int(Flag.INJECTED)) != 0)
        self._rows[Landmark.FAULT] += _places(is_fault, ids)
        self._rows[Landmark.MARK] += self._marked(ids)

    def _marked(self, ids: range) -> list[int]:
        flags = self._ring.column("flags", ids)
        marked = _places((flags & int(Flag.MARKED)) != 0, ids)
        commented = self._ring.comments.rows_in(ids)
        return sorted({*marked, *commented}) if commented else marked


def _places(mask: NDArray[np.bool_], ids: range) -> list[int]:
    found: NDArray[Any] = np.flatnonzero(mask) + ids.start
    rows: list[int] = found.tolist()
    return rows
