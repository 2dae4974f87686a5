"""Rows that a person marked or wrote about, in order: where the next one stands."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sonde_lab.records import Flag
from sonde_lab.ring import Ring


def marks_from(ring: Ring, row_id: int, step: int) -> Iterator[int]:
    """Ids of marked or commented rows after (`step` 1) or before (-1) `row_id`, nearest first."""
    marked = np.flatnonzero(ring.column("flags") & int(Flag.MARKED)) + ring.first_id
    rows = sorted({*marked.tolist(), *(commented for commented, _ in ring.comments)})
    yield from (
        (row for row in rows if row > row_id) if step > 0 else (row for row in rows[::-1] if row < row_id)
    )
