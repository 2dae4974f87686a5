"""Ends of a client's connections in a play, and the verdict on each, as some of the clients could tell it.

Owns which rows a verdict may look at: a witness, or a client whom a capture did not show, knows more than who was
there. Judges nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.records import Kind
from sonde_lab.ring import Ring
from sonde_lab.verdict import Verdict, why
from sonde_lab.verdict.dials import cause_of_note


class End(NamedTuple):
    """The row of an end, of a failed dial or of a refused resume, and why it was."""

    row: int
    verdict: Verdict


def ends_seen(ring: Ring, observers: Collection[str], client: str) -> list[End]:
    """A client's ends in their order, judged by the rows of `observers` alone."""
    ids = _rows_of(ring, observers)
    if not len(ids):
        return []
    part = Ring(len(ids) + 1, max_bytes=ring.max_bytes)
    part.extend([ring.record(row_id) for row_id in ids.tolist()])
    return [
        End(int(ids[place]), why(part, place))
        for place in range(len(ids))
        if part.text("conn", place) == client and _is_end(part, place)
    ]


def _rows_of(ring: Ring, observers: Collection[str]) -> NDArray[np.int64]:
    numbers = [number for number in map(ring.names.number, observers) if number is not None]
    found: NDArray[np.int64] = np.flatnonzero(np.isin(ring.column("conn"), numbers)) + ring.first_id
    return found


def _is_end(ring: Ring, row_id: int) -> bool:
    kind = ring.value("kind", row_id)
    if kind == Kind.NOTE:
        return cause_of_note(ring, row_id) is not None
    is_refused = kind == Kind.FRAME and ring.text("op", row_id) == "resume_failed"
    return bool(kind == Kind.CLOSE) or is_refused
