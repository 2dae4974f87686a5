"""Which rows belong together: a command and its answer, else a channel of a connection, else a connection.

Owns the filter that means a conversation, and the row before in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from sonde_lab.filter.expression import quoted
from sonde_lab.ring import Ring

NEAR_ROWS: Final = 128
LOOK_BACK_ROWS: Final = 4_096  # how far above a row the one before is searched


def before(ring: Ring, row_id: int, *, whole_connection: bool = False) -> int | None:
    """The row before `row_id` in its conversation, or of its connection; `None` where none is near."""
    if not ring.first_id <= row_id < ring.next_id:
        return None
    alike = ["conn"]
    if not whole_connection:
        if ring.value("command", row_id) >= 0:
            asked = _last_alike(ring, row_id, LOOK_BACK_ROWS, ("conn", "command"))
            if asked is not None:
                return asked
        alike += ["channel"] if ring.text("channel", row_id) else []
    found = _last_alike(ring, row_id, NEAR_ROWS, alike)  # mostly it is near, and a page asks for every row
    return _last_alike(ring, row_id, LOOK_BACK_ROWS, alike) if found is None else found


def _last_alike(ring: Ring, row_id: int, reach: int, columns: Sequence[str]) -> int | None:
    """The newest row before `row_id`, at most `reach` above it, with the same in all `columns`."""
    ids = range(max(ring.first_id, row_id - reach), row_id)
    same = np.ones(len(ids), np.bool_)
    for name in columns:
        same &= ring.column(name, ids) == ring.value(name, row_id)
    places = np.flatnonzero(same)
    return ids.start + int(places[-1]) if len(places) else None


def filter_of(ring: Ring, row_id: int) -> str:
    """The filter that means a row's conversation: its command, else its channel, else its connection; or nothing.

    Raises:
        KeyError: the row is not in the ring.
    """
    conn, channel = ring.text("conn", row_id), ring.text("channel", row_id)
    command = ring.value("command", row_id)
    terms = [f"conn:{quoted(conn)}"] if conn else []
    if command >= 0:
        terms.append(f"id:{command}")
    elif channel:
        terms.append(f"ch:{quoted(channel)}")
    return " ".join(terms)
