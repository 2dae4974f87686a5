"""What rows are called where they come from, such as a file whose rows have gaps.

Owns the leaps between ids and numbers. Numbers ascend with ids; beyond 4,096 leaps the last one holds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_LEAPS: Final = 4_096


class Numbering:
    """Ids to numbers. A row that came without a number goes on from the row before."""

    def __init__(self) -> None:
        self._leaps: list[tuple[int, int]] = []  # from this id on, numbers are so much higher

    def __len__(self) -> int:
        return len(self._leaps)

    def take(self, numbers: NDArray[np.int64], first_id: int, kept_from: int) -> None:
        """Remember the numbers of rows from `first_id` on, and forget leaps that only rows before `kept_from` need."""
        past = bisect_right(self._leaps, kept_from, key=lambda leap: leap[0])
        del self._leaps[: max(0, past - 1)]
        places = np.flatnonzero(np.diff(numbers) != 1) + 1
        for place in (0, *places[:MAX_LEAPS].tolist()):
            leap = int(numbers[place]) - first_id - place
            known = self._leaps[-1][1] if self._leaps else 0
            if leap != known and len(self._leaps) < MAX_LEAPS:
                self._leaps.append((first_id + place, leap))

    def number(self, row_id: int) -> int:
        """The number of a row; its id, where none was given."""
        place = bisect_right(self._leaps, row_id, key=lambda leap: leap[0])
        return row_id + (self._leaps[place - 1][1] if place else 0)

    def numbers(self, ids: range) -> NDArray[np.int64]:
        """The numbers of rows, which ascend with them."""
        begins, leaps = zip((0, 0), *self._leaps, strict=True)
        rows = np.arange(ids.start, ids.stop, dtype=np.int64)
        return rows + np.array(leaps, np.int64)[np.searchsorted(begins, rows, side="right") - 1]

    def id_of(self, number: int, ids: range) -> int | None:
        """Which of the rows `ids` bears a number; `None` where none does."""
        place = bisect_left(ids, number, key=self.number)
        return ids[place] if place < len(ids) and self.number(ids[place]) == number else None

    def clear(self) -> None:
        """Call rows by their ids again."""
        self._leaps.clear()
