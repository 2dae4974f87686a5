"""One channel's state, or its roster, along the rows of one connection: which rows concern it, and the fold of them.

Owns the way to the fold at any row: from the nearest keyframe, or by folding on where no row was folded yet. What is
asked for is never waited for and never approximate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from sonde_lab.entries import Entry, entry_at
from sonde_lab.keyframes import EVERY_BYTES, EVERY_ENTRIES, Keyframes
from sonde_lab.ring import Ring
from sonde_lab.roster_fold import RosterFold
from sonde_lab.row_ids import RowIds
from sonde_lab.state_fold import StateFold

AT_A_TIME: Final = 16  # entries between two looks at the clock
F = TypeVar("F", bound=StateFold | RosterFold)


class Lane(Generic[F]):
    """Rows of one kind of one line. `folded` is the newest row that is folded in, `now` the fold there.

    `on_change` gets each fold that differs from the one before, once and in order.
    """

    __slots__ = ("_fold", "_recent", "_since", "changed", "folded", "keyframes", "now", "on_change", "rows")
    now: F
    _fold: Callable[[F, Entry], F]

    def __init__(self, first: F, fold: Callable[[F, Entry], F]) -> None:
        self.rows = RowIds()
        self.changed = RowIds()
        self.keyframes: Keyframes[F] = Keyframes(first)
        self.folded = -1
        self.now = first
        self.on_change: Callable[[F], None] | None = None
        self._fold = fold
        self._recent: tuple[int, F] = (-1, first)
        self._since = (0, 0)  # entries and bytes of payload since the newest keyframe

    @property
    def backlog(self) -> bool:
        """Whether there are rows that are not folded in."""
        return self.rows.last > self.folded

    def advance(self, ring: Ring, until: int, is_over: Callable[[], bool] | None = None) -> None:
        """Fold rows in until `until`, that one counted, or until the time is over."""
        ids = self.rows.between(self.folded, until).tolist()
        for place, row_id in enumerate(ids):
            if is_over is not None and place % AT_A_TIME == AT_A_TIME - 1 and is_over():
                return
            self._take(entry_at(ring, row_id))

    def _take(self, entry: Entry) -> None:
        before, self.now = self.now, self._fold(self.now, entry)
        self.folded = entry.row_id
        if self.now.row_id != before.row_id:
            self.changed.append(entry.row_id)
            if self.on_change is not None:
                self.on_change(self.now)
        entries, size = self._since
        entries, size = entries + 1, size + len(entry.payload)
        every = self.keyframes.every
        if entries >= EVERY_ENTRIES * every or size >= EVERY_BYTES * every:
            self.keyframes.add(entry.row_id, self.now, _content(self.now), _content(self.keyframes.folds[-1]))
            entries = size = 0
        self._since = (entries, size)

    def at(self, ring: Ring, row_id: int) -> F:
        """The fold after a row that is in the ring."""
        if row_id >= self.folded:
            self.advance(ring, row_id)
            return self.now
        row, fold = self.keyframes.before(row_id)
        if row <= self._recent[0] <= row_id:
            row, fold = self._recent
        step: Callable[[F, Entry], F] = self._fold
        for each in self.rows.between(row, row_id).tolist():
            fold = step(fold, entry_at(ring, each))
        self._recent = (row_id, fold)
        return fold

    def next_change(self, ring: Ring, row_id: int, newest: int) -> int | None:
        """The first row after `row_id` that changed something."""
        found = self.changed.after(row_id)
        while found is None and self.backlog and self.folded < newest:
            ahead = self.rows.between(self.folded, newest)
            if not len(ahead):
                return None
            self.advance(ring, int(ahead[min(AT_A_TIME, len(ahead)) - 1]))
            found = self.changed.after(row_id)
        return found

    def change_before(self, ring: Ring, row_id: int) -> int | None:
        """The newest row before `row_id` that changed something."""
        if row_id - 1 > self.folded:
            self.advance(ring, row_id - 1)
        return self.changed.at_or_before(row_id - 1)

    def leave(self, ring: Ring, first: int) -> None:
        """Rows before `first` are about to go: keep what stood there."""
        fold = self.at(ring, first - 1)
        self.keyframes.begin_at(first - 1, fold)
        self._recent = (first - 1, fold)
        self.folded = max(self.folded, first - 1)
        self.rows.drop_before(first)
        self.changed.drop_before(first)


def _content(fold: StateFold | RosterFold) -> Any:
    return fold.document if isinstance(fold, StateFold) else fold.members
