"""A part of a ring as a ring of its own, taken beside a loop a slice at a time, so that a thread may work on it.

Owns how much of it is taken. Rows keep their numbers.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import numpy as np

from sonde_lab.bundle.packing import greetings
from sonde_lab.deriving.deriving import NothingToDerive
from sonde_lab.records import Kind
from sonde_lab.ring import Ring

ROWS_BEFORE: Final = 20_000
ROWS_AFTER: Final = 5_000
_SLICE: Final = 500


class Excerpt(NamedTuple):
    """The rows around one; `row_id` is that row's id in them."""

    ring: Ring
    row_id: int


async def excerpt(ring: Ring, row_id: int | None) -> Excerpt:
    """The rows around a row, or around the last end of a connection.

    Raises:
        NothingToDerive: there is no such row.
    """
    anchor = _last_end(ring) if row_id is None else row_id
    if anchor not in ring.ids:
        raise NothingToDerive("that row has gone from the table")
    number = ring.number(anchor)
    first, last = max(ring.first_id, anchor - ROWS_BEFORE), min(ring.next_id, anchor + ROWS_AFTER)
    ids = [*greetings(ring, range(ring.first_id, first), [ring.text("conn", anchor)]), *range(first, last)]
    part = Ring(len(ids) + 1, ring.max_bytes)
    for begin in range(0, len(ids), _SLICE):
        there = [
            each for each in ids[begin : begin + _SLICE] if each in ring.ids
        ]  # the oldest may have gone meanwhile
        part.extend([ring.record(each) for each in there], [ring.number(each) for each in there])
        await asyncio.sleep(0)
    found = part.id_of(number)
    if found is None:
        raise NothingToDerive("that row has gone from the table")
    return Excerpt(part, found)


def _last_end(ring: Ring) -> int:
    ends = np.flatnonzero(ring.column("kind") == Kind.CLOSE)
    if not len(ends):
        raise NothingToDerive("no connection has ended yet: there is nothing to bring about again")
    return int(ends[-1]) + ring.first_id
