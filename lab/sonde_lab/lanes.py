"""One channel's state, or its roster, along the rows of one connection: which rows concern it, and the fold of them.

Owns the way to the fold at any row: from the nearest keyframe, or by folding on where no row was folded yet. What is
asked for is never waited for and never approximate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from sonde_lab.entries import NOWHERE, Entry, entries_at
from sonde_lab.keyframes import EVERY_BYTES, EVERY_ENTRIES, Budget, Keyframes
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

    __slots__ = (
        "_ahead",
        "_fold",
        "_recent",
        "_since",
        "changed",
        "folded",
        "kept",
        "keyframes",
        "now",
        "on_change",
        "rows",
    )
    now: F
    _fold: Callable[[F, Entry], F]

    def __init__(self, first: F, fold: Callable[[F, Entry], F], budget: Budget) -> None:
        self.rows = RowIds()
        self.changed = RowIds()
        self.keyframes: Keyframes[F] = Keyframes(first, budget)
        self.kept: Sequence[Entry] = ()  # what a capture kept of it, in order of their rows
        self.folded = NOWHERE
        self.now = first
        self.on_change: Callable[[F], None] | None = None
        self._fold = fold
        self._recent: tuple[int, F] = (NOWHERE, first)
        self._ahead: tuple[int, F] = (NOWHERE, first)  # where the rows that the ring will evict next end
        self._since = (0, 0)  # entries and bytes of payload since the newest keyframe

    @property
    def backlog(self) -> bool:
        """Whether there are rows that are not folded in."""
        return self.rows.last > max(self.folded, -1)

    def advance(self, ring: Ring, until: int, is_over: Callable[[], bool] | None = None) -> None:
        """Fold rows in until `until`, that one counted, or until the time is over."""
        for place, entry in enumerate(self._stream(ring, self.folded, until)):
            self._take(ring, entry)
            if is_over is not None and place % AT_A_TIME == AT_A_TIME - 1 and is_over():
                return

    def _stream(self, ring: Ring, after: int, until: int) -> Iterable[Entry]:
        """What is to be folded after one row and until another, that one counted."""
        entries = entries_at(ring, self.rows.between(after, until))
        if not self.kept:
            return entries
        kept = [each for each in self.kept if after < each.row_id <= until]
        return merge(entries, kept, key=attrgetter("row_id"))

    def _take(self, ring: Ring, entry: Entry) -> None:
        before, self.now = self.now, self._fold(self.now, entry)
        self.folded = entry.row_id
        if self.now.row_id != before.row_id and entry.row_id >= ring.first_id:
            self.changed.append(entry.row_id)
        if self.now.row_id != before.row_id and self.on_change is not None:
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
        for entry in self._stream(ring, row, row_id):
            fold = step(fold, entry)
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

    def reaches_before(self, first: int) -> bool:
        """Whether rows of it are older than `first`."""
        return bool(len(self.rows)) and int(self.rows.all[0]) < first

    def prepare(self, ring: Ring, first: int) -> None:
        """Rows before `first` will go next: work out what will stand there."""
        if self.reaches_before(first):
            self._ahead = (first - 1, self.at(ring, first - 1))

    def leave(self, ring: Ring, first: int) -> None:
        """Rows before `first` are about to go: keep what stands there."""
        if not self.reaches_before(first):
            return
        if self._ahead[0] != first - 1:
            self.prepare(ring, first)
        self.keyframes.begin_at(*self._ahead)
        self._recent = self._ahead
        self.folded = max(self.folded, first - 1)
        self.rows.drop_before(first)
        self.changed.drop_before(first)


def _content(fold: StateFold | RosterFold) -> Any:
    return fold.document if isinstance(fold, StateFold) else fold.members
