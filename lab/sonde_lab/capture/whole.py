"""A capture's rows in a ring at once, for tools in a terminal that wait for nothing else.

Owns the ring's size. Refuses what the reader refuses; of a file that is larger than the ring, the newest rows are there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sonde_lab.capture.loading import Bounds, Loader
from sonde_lab.ring import Ring

MAX_ROWS: Final = 1_000_000
MAX_BYTES: Final = 1 << 30


def read_ring(path: Path) -> Ring:
    """All rows, with their numbers and what people said about them.

    Raises:
        CaptureUnreadable: it is no capture, or damaged.
    """
    ring = Ring(MAX_ROWS, MAX_BYTES)
    loader = Loader(path, Bounds(ring.block_rows, ring.block_bytes, ring.max_payload, ring.capacity))
    try:
        while (rows := loader.next_rows()) is not None:
            ring.extend_ready(rows)
        for number, text in loader.comments():
            row_id = ring.id_of(number)
            if row_id is not None:
                ring.comment(row_id, text)
    finally:
        loader.close()
    return ring
