"""Which rows belong together: a command and its answer, else a channel of a connection, else a connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sonde_lab.ring import Ring

TRIED: Final = 2_000  # rows looked at before giving up: most may be filtered away


def neighbour(ring: Ring, row_id: int, step: int) -> Iterator[int]:
    """Ids after (`step` 1) or before (-1) `row_id` of the same conversation, nearest first."""
    if not ring.first_id <= row_id < ring.next_id:
        return
    ids = range(row_id + 1, ring.next_id) if step > 0 else range(ring.first_id, row_id)
    same = ring.column("conn", ids) == ring.value("conn", row_id)
    command, channel = ring.value("command", row_id), ring.value("channel", row_id)
    if command >= 0 and (same & (ring.column("command", ids) == command)).any():
        same &= ring.column("command", ids) == command
    elif ring.text("channel", row_id):
        same &= ring.column("channel", ids) == channel
    places = np.flatnonzero(same)
    ordered = places if step > 0 else places[::-1]
    for place in ordered[:TRIED].tolist():
        yield ids.start + place
