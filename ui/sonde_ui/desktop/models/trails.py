"""Where things came from: the places of all of them, sample by sample, as one table.

Owns the samples and their bounds. A row is an instant, a column one thing; where a thing was not there is NaN. So that
a map draws the ways of hundreds of things as a few paths, whatever the number of points.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sonde_ui.desktop.models.places import MOST, Path

SAMPLES: Final = 160
STEP_S: Final = 0.15  # samples closer in time than this are left out
MOST_POINTS: Final = 1_600  # of all ways together; of many things every few samples do

Floats = NDArray[np.float64]


class Trails:
    """Samples of the newest `SAMPLES` instants, oldest first."""

    def __init__(self) -> None:
        self._columns: dict[Path, int] = {}
        self._free = list(range(MOST - 1, -1, -1))
        self._at = np.full(SAMPLES, -np.inf)
        self._spots = np.full((2, SAMPLES, MOST), np.nan)
        self._count = 0
        self.version = 0  # counts what was added

    def __len__(self) -> int:
        return self._count

    def add(self, places: Iterable[tuple[Path, float, float]], at: float) -> None:
        """Where everything is at `at`; things that are not told of any more leave no trail."""
        here = {path: (x, y) for path, x, y in places}
        for path in [path for path in self._columns if path not in here]:
            column = self._columns.pop(path)
            self._spots[:, :, column] = np.nan
            self._free.append(column)
        if self._count and at < self._at[self._count - 1] + STEP_S:
            return
        row = self._next_row()
        self.version += 1
        self._at[row] = at
        self._spots[:, row] = np.nan
        for path, (x, y) in here.items():
            if path not in self._columns and self._free:
                self._columns[path] = self._free.pop()
            if path in self._columns:
                self._spots[:, row, self._columns[path]] = x, y

    def _next_row(self) -> int:
        if self._count < SAMPLES:
            self._count += 1
            return self._count - 1
        self._at[:-1] = self._at[1:]
        self._spots[:, :-1] = self._spots[:, 1:]
        return SAMPLES - 1

    def newest(self, until: float) -> int:
        """How many samples are of `until` or before."""
        return int(np.searchsorted(self._at[: self._count], until, side="right"))

    def ways(self, since: float, until: float) -> tuple[Floats, Floats, Floats]:
        """Times, and x and y with a row for each: the newest sample there is, and of many things every few before."""
        first, last = self.newest(since), self.newest(until)
        stride = max(1, (last - first) * len(self._columns) // MOST_POINTS + 1)
        rows = np.arange(last - 1, first - 1, -stride)[::-1]
        columns = np.fromiter(self._columns.values(), np.intp, len(self._columns))
        return self._at[rows], self._spots[0][np.ix_(rows, columns)], self._spots[1][np.ix_(rows, columns)]

    def lasts(self, until: float) -> dict[Path, tuple[float, float]]:
        """Where everything was at the newest sample."""
        row = self.newest(until) - 1
        if row < 0:
            return {}
        xs, ys = self._spots[:, row].tolist()
        return {
            path: (xs[column], ys[column])
            for path, column in self._columns.items()
            if xs[column] == xs[column]  # NaN is not
        }

    def way(self, path: Path, since: float, until: float) -> tuple[Floats, Floats, Floats]:
        """As `ways`, of one thing, without the instants at which it was not there."""
        column = self._columns.get(path)
        if column is None:
            return np.empty(0), np.empty(0), np.empty(0)
        rows = slice(self.newest(since), self.newest(until))
        x, y = self._spots[0, rows, column], self._spots[1, rows, column]
        known = ~np.isnan(x)
        return self._at[rows][known], x[known], y[known]
