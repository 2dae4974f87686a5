"""The columnar store of records behind every table: bounded by rows and bytes, evicted in blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonde_lab.records import Record


class Ring:
    """Rows under ids that are never used again, from `first_id` to `next_id - 1`."""

    first_id: int
    next_id: int
    evicted: int

    def __init__(self, capacity: int = 200_000, max_bytes: int = 256 << 20) -> None: ...
    def __len__(self) -> int: ...
    def append(self, record: Record) -> int: ...
    def extend(self, records: Sequence[Record]) -> range: ...
    def column(self, name: str) -> NDArray[np.generic]: ...
    def record(self, row_id: int) -> Record: ...
    def payload(self, row_id: int) -> bytes: ...
