"""Round trips as rows tell them: of every answer that came and was matched to what it answers.

For what nobody measures: traffic through a proxy, a capture without measurements. An answer takes the time of the way
and of whoever answers; frames of others that are only tapped are left out.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sonde_lab.changes import RttSample
from sonde_lab.records import Direction, Flag
from sonde_lab.ring import Ring

CHUNK_ROWS: Final = 65_536  # looked at in once: less than a millisecond


class RowTrips:
    """Follows the rows of a ring."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._next_id = ring.first_id

    def begin(self) -> None:
        """Once more from the oldest row."""
        self._next_id = self._ring.first_id

    def take(self) -> list[RttSample]:
        """Round trips of rows that came since, in order of time; of many rows, a part at a time."""
        ring = self._ring
        begin = max(self._next_id, ring.first_id)
        ids = range(begin, min(ring.next_id, begin + CHUNK_ROWS))
        self._next_id = max(begin, ids.stop)
        if not ids:
            return []
        rtt_ms, at = ring.column("rtt_ms", ids), ring.column("at", ids)
        chosen = np.flatnonzero(
            ~np.isnan(rtt_ms)
            & (ring.column("direction", ids) == Direction.IN)
            & ((ring.column("flags", ids) & int(Flag.TAPPED)) == 0)
        )
        chosen = chosen[np.argsort(at[chosen], kind="stable")]
        return [RttSample(*pair) for pair in zip(at[chosen].tolist(), rtt_ms[chosen].tolist(), strict=True)]
