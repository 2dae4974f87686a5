"""Runs of rows that a table shows as one: found in a batch, kept in a table that grows and shrinks in place."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_KEY_BITS: Final = 34  # class, connection and channel of a run: 2 + 16 + 16
_FIRST, _LAST, _COUNT, _KEY = range(4)

Ints = NDArray[np.int64]


class Runs(NamedTuple):
    """Runs in order of their first row. Key 0: a row that stands for itself."""

    firsts: Ints
    lasts: Ints
    counts: Ints
    keys: Ints


def find_runs(ids: Ints, keys: Ints) -> Runs:
    """Group ascending row `ids`: equal keys that have no row with key 0 between them are one run."""
    if len(ids) == 0 or not keys.any():
        return Runs(ids, ids, np.ones(len(ids), np.int64), keys)
    group = (np.cumsum(keys == 0) << _KEY_BITS) | keys
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    ends = np.concatenate((starts[1:], [len(ids)]))
    firsts = order[starts]
    by_first = np.argsort(firsts, kind="stable")
    firsts, lasts = firsts[by_first], order[ends - 1][by_first]
    return Runs(ids[firsts], ids[lasts], (ends - starts)[by_first], keys[firsts])


class RunTable:
    """The rows of a table, each a run. The runs after the last story row are open: they may still grow."""

    def __init__(self, room: int = 1_024) -> None:
        self._cells = np.zeros((4, room), np.int64)
        self._start = 0
        self._stop = 0
        self._open: dict[int, int] = {}  # key -> physical column

    def __len__(self) -> int:
        return self._stop - self._start

    def _row(self, which: int) -> NDArray[Any]:
        return self._cells[which, self._start : self._stop]

    @property
    def first(self) -> NDArray[Any]:
        """Row id of each run's first record."""
        return self._row(_FIRST)

    @property
    def last(self) -> NDArray[Any]:
        """Row id of each run's newest record."""
        return self._row(_LAST)

    @property
    def count(self) -> NDArray[Any]:
        """Records in each run."""
        return self._row(_COUNT)

    @property
    def key(self) -> NDArray[Any]:
        """Key of each run; 0: a story row."""
        return self._row(_KEY)

    def extend(self, runs: Runs) -> tuple[int, int | None]:
        """Join `runs` (all newer than what is here); rows appended, and the first row that grew."""
        stories = np.flatnonzero(runs.keys == 0)
        joinable = int(stories[0]) if len(stories) else len(runs.keys)
        keep = np.ones(len(runs.keys), np.bool_)
        grown: int | None = None
        for index in range(joinable if self._open else 0):
            place = self._open.get(int(runs.keys[index]))
            if place is None:
                continue
            keep[index] = False
            self._cells[_LAST, place] = runs.lasts[index]
            self._cells[_COUNT, place] += runs.counts[index]
            grown = place - self._start if grown is None else min(grown, place - self._start)
        kept = Runs(*(column[keep] for column in runs))
        self._append(kept)
        if len(stories):
            self._open.clear()
        fresh = len(kept.keys) - (len(runs.keys) - int(stories[-1]) - 1 if len(stories) else len(kept.keys))
        for index in range(fresh, len(kept.keys)):
            self._open[int(kept.keys[index])] = self._stop - len(kept.keys) + index
        return len(kept.keys), grown

    def before(self, boundary: int) -> tuple[int, bool]:
        """How many rows begin before row id `boundary`, and whether any of them reaches over it."""
        count = int(np.searchsorted(self.first, boundary))
        return count, bool((self.last[:count] >= boundary).any())

    def stretch_end(self, index: int) -> tuple[int, int | None]:
        """The next story row at or after `index`, and its row id; the table's end and `None` without one."""
        ahead = np.flatnonzero(self.key[index:] == 0)
        if len(ahead) == 0:
            return len(self), None
        end = index + int(ahead[0])
        return end, int(self.first[end])

    def drop_front(self, count: int) -> None:
        """Forget the first `count` rows."""
        self._start += count
        if self._open:
            self._open = {key: place for key, place in self._open.items() if place >= self._start}

    def replace_front(self, count: int, runs: Runs) -> None:
        """Put `runs`, of at most `count` rows, in the place of the first `count` rows."""
        was_open = count == len(self)
        self._start += count - len(runs.firsts)
        self._cells[:, self._start : self._start + len(runs.firsts)] = np.stack(runs)
        if was_open:
            self._open = {int(key): self._start + index for index, key in enumerate(runs.keys)}

    def find(self, row_id: int, key: int) -> int | None:
        """The row whose run holds record `row_id`, whose key is `key`; `None` when there is none."""
        index = int(np.searchsorted(self.first, row_id, side="right")) - 1
        while index >= 0 and self.key[index] != key:
            if self.key[index] == 0:
                return None  # a story row ended the stretch in which the run could be
            index -= 1
        return index if index >= 0 and row_id <= self.last[index] else None

    def _append(self, runs: Runs) -> None:
        count = len(runs.firsts)
        if self._stop + count > self._cells.shape[1]:
            self._make_room(count)
        self._cells[:, self._stop : self._stop + count] = np.stack(runs)
        self._stop += count

    def _make_room(self, count: int) -> None:
        """Move the rows to the front of a table with room to grow: amortised, one copy per doubling."""
        held = len(self)
        cells = np.zeros((4, 2 * (held + count)), np.int64)
        cells[:, :held] = self._cells[:, self._start : self._stop]
        self._open = {key: place - self._start for key, place in self._open.items()}
        self._cells, self._start, self._stop = cells, 0, held
