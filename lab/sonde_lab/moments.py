"""A moment of what was seen: a time, and the row that a person pointed at where it was one.

Owns the way from a time to the row that stood there. It knows nothing of what a row means.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sonde_lab.ring import Ring


class Moment(NamedTuple):
    """`at` is monotonic seconds as the ring counts them; `row_id` is the newest row that belongs to the moment."""

    at: float
    row_id: int | None = None


def newest_row(ring: Ring, at: float) -> int | None:
    """The newest row that came at `at` or before; `None` where all that is kept is younger.

    Rows of several sockets may stand a little out of order: those that belong before the found one stay before it.
    """
    place = int(np.searchsorted(ring.column("at"), at, side="right"))
    return ring.first_id + place - 1 if place else None


def row_of(ring: Ring, moment: Moment) -> int | None:
    """The newest row that belongs to a moment: its own while the ring has it, else by time."""
    if moment.row_id is not None and ring.first_id <= moment.row_id < ring.next_id:
        return moment.row_id
    return newest_row(ring, moment.at)


def wall_of(ring: Ring, moment: Moment) -> float | None:
    """The time of day (unix s) of a moment, as its row tells it, else the oldest; `None` where nothing is kept."""
    if not len(ring):
        return None
    row_id = row_of(ring, moment)
    row_id = ring.first_id if row_id is None else row_id
    wall: float = ring.value("wall", row_id)
    return wall + moment.at - float(ring.value("at", row_id))
