"""Which rows belong together: a command and its answer, else a channel of a connection, else a connection.

Owns the filter that means a conversation, and the row before in it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sonde_lab.filter.expression import quoted
from sonde_lab.ring import Ring

LOOK_BACK_ROWS: Final = 4_096  # how far above a row the one before is searched


def before(ring: Ring, row_id: int, *, whole_connection: bool = False) -> int | None:
    """The row before `row_id` in its conversation, or of its connection; `None` where none is near."""
    ids = range(max(ring.first_id, row_id - LOOK_BACK_ROWS), row_id)
    if not ids or row_id >= ring.next_id:
        return None
    same = ring.column("conn", ids) == ring.value("conn", row_id)
    if not whole_connection:
        command = ring.value("command", row_id)
        of_command = same & (ring.column("command", ids) == command)
        if command >= 0 and of_command.any():
            same = of_command
        elif ring.text("channel", row_id):
            same &= ring.column("channel", ids) == ring.value("channel", row_id)
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
