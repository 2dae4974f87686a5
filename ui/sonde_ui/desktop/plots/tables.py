"""Columns of numbers over time: appended at the end, bounded, read by stretches. Pure: no Qt, no plot library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CAPACITY: Final = 36_000  # ten hours at one a second
MOST_POINTS: Final = 600  # drawn at once


class TimeTable:
    """Rows of `width` numbers, the first of them the time; times never go back. The oldest half goes when it is full."""

    def __init__(self, width: int, capacity: int = CAPACITY) -> None:
        self._cells: NDArray[Any] = np.zeros((width, 256))
        self._capacity = capacity
        self._count = 0
        self._kept: tuple[tuple[int, int], NDArray[Any]] | None = None
        self.dropped = 0  # rows that have gone: what keeps a place adds this

    def __len__(self) -> int:
        return self._count

    @property
    def cells(self) -> NDArray[Any]:
        """All that is kept, a line a column."""
        return self._cells[:, : self._count]

    @property
    def first_at(self) -> float:
        """The oldest time; NaN without any."""
        return float(self._cells[0, 0]) if self._count else float("nan")

    @property
    def last_at(self) -> float:
        """The newest time; NaN without any."""
        return float(self._cells[0, self._count - 1]) if self._count else float("nan")

    def clear(self) -> None:
        """Forget everything."""
        self._count = 0
        self._kept = None

    def add(self, row: Sequence[float]) -> None:
        """One more row; a time before the last one is taken for the last one."""
        if self._count == self._capacity:
            keep = self._capacity // 2
            self._cells[:, :keep] = self._cells[:, self._count - keep : self._count]
            self.dropped += self._count - keep
            self._count = keep
        elif self._count == self._cells.shape[1]:
            room = min(self._capacity, 2 * self._count)
            self._cells = np.concatenate(
                (self._cells, np.zeros((len(self._cells), room - self._count))), axis=1
            )
        self._cells[:, self._count] = row
        if self._count and self._cells[0, self._count - 1] > self._cells[0, self._count]:
            self._cells[0, self._count] = self._cells[0, self._count - 1]
        self._count += 1

    def extend(self, rows: Iterable[Sequence[float]]) -> None:
        """More rows."""
        for row in rows:
            self.add(row)

    def places(self, since: float, until: float) -> range:
        """Rows from `since` to `until`, both counted."""
        at = self._cells[0, : self._count]
        return range(int(np.searchsorted(at, since)), int(np.searchsorted(at, until, side="right")))

    def between(self, since: float, until: float) -> NDArray[Any]:
        """Columns of a stretch, one row more at each side, neighbours joined to their mean until few are left.

        The same object again while they are the same.
        """
        inside = self.places(since, until)
        begin, end = max(0, inside.start - 1), min(self._count, inside.stop + 1)
        key = (begin + self.dropped, end + self.dropped)
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._joined(begin, end)
        return self._kept[1]

    def _joined(self, begin: int, end: int) -> NDArray[Any]:
        cells = self._cells[:, begin:end]
        share = -(-cells.shape[1] // MOST_POINTS)
        if share <= 1:
            return cells.copy()
        edges = np.arange(0, cells.shape[1], share)
        joined: NDArray[Any] = np.add.reduceat(cells, edges, axis=1) / np.diff(
            np.append(edges, cells.shape[1])
        )
        return joined

    def newest(self, at: float, within_s: float) -> Floats | None:
        """The newest row at `at` or before, if it is not older than `within_s`."""
        place = int(np.searchsorted(self._cells[0, : self._count], at, side="right")) - 1
        if place < 0 or at - self._cells[0, place] > within_s:
            return None
        row: Floats = self._cells[:, place].copy()
        return row
