"""Ids of rows in order, eight bytes each: appended at the end, let go at the front."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEAST: Final = 16


class RowIds:
    """Ascending ids. What the ring has evicted is dropped, so there are never more of them than rows."""

    __slots__ = ("_begin", "_cells", "_end")

    def __init__(self) -> None:
        self._cells: NDArray[np.int64] = np.empty(_LEAST, np.int64)
        self._begin = self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def all(self) -> NDArray[np.int64]:
        """Every one of them; valid until the next change."""
        return self._cells[self._begin : self._end]

    @property
    def last(self) -> int:
        """The newest; -1 where there is none."""
        return int(self._cells[self._end - 1]) if self else -1

    def append(self, row_id: int) -> None:
        """Add one that is newer than all."""
        self._make_room(1)
        self._cells[self._end] = row_id
        self._end += 1

    def extend(self, ids: NDArray[np.int64]) -> None:
        """Add some that are newer than all, in order."""
        self._make_room(len(ids))
        self._cells[self._end : self._end + len(ids)] = ids
        self._end += len(ids)

    def drop_before(self, row_id: int) -> None:
        """Forget those that are older than `row_id`."""
        self._begin += int(np.searchsorted(self.all, row_id))

    def between(self, after: int, until: int) -> NDArray[np.int64]:
        """Those after one row and until another, that one counted; valid until the next change."""
        begin, end = np.searchsorted(self.all, (after, until), side="right")
        return self.all[begin:end]

    def at_or_before(self, row_id: int) -> int | None:
        """The newest that is not newer than `row_id`."""
        place = int(np.searchsorted(self.all, row_id, side="right"))
        return int(self.all[place - 1]) if place else None

    def after(self, row_id: int) -> int | None:
        """The oldest that is newer than `row_id`."""
        place = int(np.searchsorted(self.all, row_id, side="right"))
        return int(self.all[place]) if place < len(self) else None

    def _make_room(self, count: int) -> None:
        if self._end + count <= len(self._cells):
            return
        kept = self.all
        cells = np.empty(max(_LEAST, 2 * (len(kept) + count)), np.int64)
        cells[: len(kept)] = kept
        self._cells, self._begin, self._end = cells, 0, len(kept)
