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


def _open_from(keys: Ints) -> int:
    """Where the runs that may still grow begin: after the last story row."""
    stories = np.flatnonzero(keys == 0)
    return int(stories[-1]) + 1 if len(stories) else 0


def _joined(older: Runs, newer: Runs) -> Runs:
    """`older` and then `newer`, which has no story row: equal keys of the open end and of `newer` are one run."""
    begin = _open_from(older.keys)
    places = {int(key): begin + at for at, key in enumerate(older.keys[begin:])}
    lasts, counts = older.lasts.copy(), older.counts.copy()
    keep = np.ones(len(newer.keys), np.bool_)
    for index, key in enumerate(newer.keys.tolist()):
        place = places.get(key)
        if place is not None:
            keep[index] = False
            lasts[place] = newer.lasts[index]
            counts[place] += newer.counts[index]
    front = Runs(older.firsts, lasts, counts, older.keys)
    return Runs(*(np.concatenate((old, new[keep])) for old, new in zip(front, newer, strict=True)))


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

    def prepend(self, runs: Runs) -> int:
        """Join `runs` (all older than what is here) at the front; how many rows the table has more.

        The open runs of `runs` grow by those of the same key that begin this table, before its first story row.
        """
        before = len(self)
        end, _ = self.stretch_end(0)
        joined = _joined(
            runs, Runs(*(column[:end].copy() for column in self._cells[:, self._start : self._stop]))
        )
        count = len(joined.keys)
        self._make_front_room(count - end)
        self._start += end - count
        self._cells[:, self._start : self._start + count] = np.stack(joined)
        if end == before:  # no story row was here, so all that is open came or moved now
            begin = _open_from(joined.keys)
            self._open = {int(joined.keys[at]): self._start + at for at in range(begin, count)}
        return len(self) - before

    def truncate(self, count: int) -> None:
        """Keep the first `count` rows, the last of which is a story row."""
        self._stop = self._start + count
        self._open.clear()

    def story_before(self, row_id: int) -> tuple[int, int | None]:
        """The last story row that begins before `row_id`: how many rows end with it, and its id; else 0, `None`."""
        index = int(np.searchsorted(self.first, row_id)) - 1
        while index >= 0 and self.key[index] != 0:
            index -= 1
        return (index + 1, int(self.first[index])) if index >= 0 else (0, None)

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

    def _make_front_room(self, count: int) -> None:
        """Room for `count` more rows at the front: amortised, one copy per doubling."""
        if count <= self._start:
            return
        held, start = len(self), len(self) + count
        cells = np.zeros((4, start + self._cells.shape[1] - self._start), np.int64)
        cells[:, start : start + held] = self._cells[:, self._start : self._stop]
        shift = start - self._start
        self._open = {key: place + shift for key, place in self._open.items()}
        self._cells, self._start, self._stop = cells, start, start + held

    def _make_room(self, count: int) -> None:
        """Move the rows to the front of a table with room to grow: amortised, one copy per doubling."""
        held = len(self)
        cells = np.zeros((4, 2 * (held + count)), np.int64)
        cells[:, :held] = self._cells[:, self._start : self._stop]
        self._open = {key: place - self._start for key, place in self._open.items()}
        self._cells, self._start, self._stop = cells, 0, held
