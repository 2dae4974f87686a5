"""Which rows of the ring a table shows: filter, quick toggles and folded runs, kept up incrementally.

A *run* is a stretch of deltas of one channel of one connection, or of heartbeats of one connection, with
nothing between them but other runs. So a quiet stretch of two state channels and a heartbeat is three rows
with growing counts, and the first row that tells a story (an event, a reply, a drop) ends it. The first
record of a run stays its row. A close, and whatever is flagged as an error, injected, marked or
commented, never folds.

Owns row numbers and counts; refuses to know texts and looks. An update costs the new rows only; everything is
worked out again when the filter, a toggle or folding changes. With a million rows that takes a while, so a view
may be told how many rows to look at in one go: it begins with the newest, and `look_back` goes on in slices of
its caller's size. Another filter in between simply begins anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.filter import Filter, FilterError
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import MAX_REMEMBERED_TOUCHES, Ring
from sonde_lab.runs import Runs, RunTable, find_runs

_ALONE: Final = int(Flag.ERROR | Flag.MALFORMED | Flag.INJECTED | Flag.MARKED)
_CONTROL: Final = int(Flag.CONTROL | Flag.HEARTBEAT)
_WRONG: Final = int(Flag.ERROR | Flag.MALFORMED)
_DELTA, _REPLAYED_DELTA, _HEARTBEAT = 1, 2, 3  # classes of runs; 0 tells a story


@dataclass(slots=True, frozen=True)
class Toggles:
    """The quick switches beside the filter. Those of a direction let states and acts through: they have none."""

    received: bool = True
    sent: bool = True
    control: bool = True  # ping, pong and close frames, and our own heartbeats
    injected: bool = True  # what a person made happen
    errors_only: bool = False


class ViewChange(NamedTuple):
    """What an update did, in this order: rows came and left at the front, came at the end, changed in place.

    `reset`: forget everything, read `len(view)` again. Else `prepended` rows came at the front (and any row may
    look different), the first `evicted_front` rows went, `appended` came at the end, and rows from `changed_from`
    (numbered after all of that) may look different; `None`: none did.
    """

    reset: bool = False
    appended: int = 0
    changed_from: int | None = None
    evicted_front: int = 0
    prepended: int = 0


class VisibleRow(NamedTuple):
    """One row of the table. `row_id` is the first record of a folded run, `last_id` the newest."""

    row_id: int
    folded_count: int  # 1: not folded
    delta_ms: float  # since the row above; nan for the first
    last_id: int
    last_at: float  # monotonic s of the newest record of the run


class View:
    """An incremental view over a ring. Several may look at the same ring.

    `room`: table rows to begin with. `at_once`: how many rows an update looks at when everything is to be worked
    out again, the newest first; without it, all.
    """

    def __init__(self, ring: Ring, room: int = 1_024, at_once: int | None = None) -> None:
        self._ring = ring
        self._filter = Filter()
        self._toggles = Toggles()
        self._fold = True
        self._room = room
        self._table = RunTable(room)
        self._at_once = at_once
        self._from = ring.first_id  # rows before this id are still to be looked at
        self._older: list[Runs] = []  # looked at since the last update, newest first
        self._seen = ring.first_id  # rows from there to here are in the table
        self._touches = ring.touches
        self._releases = ring.releases
        self._stale = True

    # ------------------------------------------------------------ what is asked for

    @property
    def fold(self) -> bool:
        """Whether runs are one row with a count."""
        return self._fold

    @fold.setter
    def fold(self, on: bool) -> None:
        self._stale |= on != self._fold
        self._fold = on

    @property
    def filter_text(self) -> str:
        """The filter as it was typed."""
        return self._filter.text

    @property
    def toggles(self) -> Toggles:
        """The quick switches."""
        return self._toggles

    def set_filter(self, text: str) -> FilterError | None:
        """Show only rows that `text` means; one that is not understood changes nothing and comes back as its error."""
        try:
            wanted = Filter(text)
        except FilterError as error:
            return error
        self._stale |= wanted != self._filter
        self._filter = wanted
        return None

    def set_toggles(self, toggles: Toggles) -> None:
        """Set the quick switches."""
        self._stale |= toggles != self._toggles
        self._toggles = toggles

    # ------------------------------------------------------------ what is shown

    def __len__(self) -> int:
        return len(self._table)

    @property
    def records_shown(self) -> int:
        """Records behind the rows of the table, folded ones counted."""
        return int(self._table.count.sum())

    def row(self, index: int) -> VisibleRow:
        """One row of the table.

        Raises:
            IndexError: there is no such row.
        """
        table = self._table
        if not 0 <= index < len(table):
            raise IndexError(index)
        first, last = int(table.first[index]), int(table.last[index])
        at = self._ring.value("at", max(first, self._ring.first_id))
        above = int(table.first[index - 1]) if index else -1
        delta_ms = (at - self._ring.value("at", above)) * 1000 if above >= self._ring.first_id else math.nan
        last_at = self._ring.value("at", max(last, self._ring.first_id))
        return VisibleRow(first, int(table.count[index]), delta_ms, last, last_at)

    def index_of(self, row_id: int) -> int | None:
        """Where the row that shows `row_id` stands, or `None` when it is not visible."""
        if not max(self._ring.first_id, self._from) <= row_id < self._seen:
            return None
        ids = range(row_id, row_id + 1)
        if not self._mask(ids)[0]:
            return None
        return self._table.find(row_id, int(self._keys(ids)[0]) if self._fold else 0)

    def shown(self, ids: range) -> list[int]:
        """Which of these rows the filter and the switches let through, folded ones too; none that has gone."""
        ids = range(max(ids.start, self._ring.first_id), min(ids.stop, self._ring.next_id))
        return (np.flatnonzero(self._mask(ids)) + ids.start).tolist() if ids else []

    @property
    def backlog(self) -> int:
        """Rows of the ring that are still to be looked at, see `look_back`."""
        return 0 if self._stale else max(0, self._from - self._ring.first_id)

    def look_back(self, rows: int) -> None:
        """Look at the newest `rows` of the backlog. What is found comes into the table with the next update."""
        if self.backlog:
            ids = range(max(self._ring.first_id, self._from - rows), self._from)
            self._from = ids.start
            self._older.append(self._find_runs(ids))

    def update(self) -> ViewChange:
        """Take in what has happened to the ring since the last update, and what was found by looking back."""
        ring = self._ring
        touched = ring.touched_since(self._touches)
        is_released = ring.releases != self._releases  # a row that stood alone may fold again
        if self._stale or self._seen < ring.first_id:
            self._rebuild()
            return ViewChange(reset=True)
        joined, prepended = self._take_older()
        anew = self._to_be_placed_anew(touched, is_released=is_released)
        self._touches, self._releases = ring.touches, ring.releases
        evicted, changed = self._drop_evicted()
        if anew is not None:
            self._place_anew(anew)
        if joined or anew is not None:
            self._take_new()
            return ViewChange(reset=True)
        appended, grown = self._take_new()
        places = (self.index_of(row_id) for row_id in touched)
        candidates = [at for at in (changed, grown, *places) if at is not None]
        return ViewChange(False, appended, min(candidates, default=None), evicted, prepended)

    # ------------------------------------------------------------ how

    def _take_older(self) -> tuple[bool, int]:
        """Put what was found by looking back into the table: whether it all went into rows of it, or how many came."""
        came = [self._table.prepend(runs) for runs in self._older if len(runs.firsts)]
        self._older.clear()
        return bool(came) and not sum(came), sum(came)

    def _rebuild(self) -> None:
        ring = self._ring
        self._stale = False
        self._touches, self._releases = ring.touches, ring.releases
        self._seen = ring.next_id
        self._from = (
            ring.first_id if self._at_once is None else max(ring.first_id, ring.next_id - self._at_once)
        )
        self._older.clear()
        self._table = RunTable(self._room)
        self._table.extend(self._find_runs(range(self._from, ring.next_id)))

    def _take_new(self) -> tuple[int, int | None]:
        """Put what came since the last update into the table: rows appended, and the first row that grew."""
        new = range(self._seen, self._ring.next_id)
        self._seen = self._ring.next_id
        return self._table.extend(self._find_runs(new)) if new else (0, None)

    def _to_be_placed_anew(self, touched: list[int], *, is_released: bool) -> int | None:
        """The oldest row that was told something that decides where it belongs: a person marked it, an answer came."""
        ring, oldest = self._ring, max(self._ring.first_id, self._from)
        kept = [row for row in touched if row >= oldest]
        anew = [row for row in kept if is_released or self._stands_alone(row)]
        asks_again, is_filtered = self._filter.reads_annotations, not self._filter.is_empty
        anew += [
            row
            for row in kept
            if row < self._seen
            and (asks_again or (is_filtered and ring.is_retitled(row)))
            and self._is_misplaced(row)
        ]
        if anew and len(touched) > MAX_REMEMBERED_TOUCHES:  # those that are not remembered may be older
            return oldest
        return min(anew, default=None)

    def _stands_alone(self, row_id: int) -> bool:
        decisive = self._ring.value("flags", row_id) & (_ALONE | _CONTROL)
        return bool(decisive) or bool(self._ring.comments.text(row_id))

    def _place_anew(self, row_id: int) -> None:
        """Forget the table from `row_id` on, to take it in again: the story row before it and all above stay."""
        ring = self._ring
        kept, story = self._table.story_before(row_id)
        self._table.truncate(kept)
        self._seen = max(ring.first_id, self._from) if story is None else story + 1

    def _is_misplaced(self, row_id: int) -> bool:
        """Whether the filter, asked again, says of a row something else than the table shows."""
        ids = range(row_id, row_id + 1)
        key = int(self._keys(ids)[0]) if self._fold else 0
        return key != 0 or bool(self._mask(ids)[0]) != (self._table.find(row_id, 0) is not None)

    def _drop_evicted(self) -> tuple[int, int | None]:
        """Forget rows that left the ring: how many table rows went, and whether what is left has changed.

        A run that is cut is counted again from what the ring still holds, together with the runs beside it.
        """
        boundary = self._ring.first_id
        gone, cut = self._table.before(boundary)
        if not cut:
            self._table.drop_front(gone)
            return gone, None
        end, end_id = self._table.stretch_end(gone)
        runs = self._find_runs(range(boundary, self._seen if end_id is None else end_id))
        self._table.replace_front(end, runs)
        return end - len(runs.firsts), 0

    def _find_runs(self, ids: range) -> Runs:
        shown = np.flatnonzero(self._mask(ids))
        keys = self._keys(ids)[shown] if self._fold else np.zeros(len(shown), np.int64)
        return find_runs(shown + max(ids.start, self._ring.first_id), keys)

    def _mask(self, ids: range) -> NDArray[np.bool_]:
        ring, toggles = self._ring, self._toggles
        direction, flags = ring.column("direction", ids), ring.column("flags", ids)
        mask = np.ones(len(direction), np.bool_)
        if not toggles.received:
            mask &= direction != Direction.IN
        if not toggles.sent:
            mask &= direction != Direction.OUT
        if not toggles.control:
            mask &= (flags & _CONTROL) == 0
        if not toggles.injected:
            mask &= (flags & int(Flag.INJECTED)) == 0
        if toggles.errors_only:
            mask &= (flags & _WRONG) != 0
        if not self._filter.is_empty:
            mask &= self._filter.matching(ring, ids)
        return mask

    def _keys(self, ids: range) -> NDArray[np.int64]:
        """The run that each row may belong to; 0 for rows that tell a story."""
        ring = self._ring
        flags = ring.column("flags", ids)
        delta_name = ring.names.number("delta")
        frame = (ring.column("kind", ids) == Kind.FRAME) & ((flags & _ALONE) == 0)
        delta = frame & (ring.column("op", ids) == (-1 if delta_name is None else delta_name))
        delta &= ring.column("protocol", ids) == 0  # what others call a delta may be their whole story
        heartbeat = frame & ((flags & int(Flag.HEARTBEAT)) != 0)
        conn = ring.column("conn", ids).astype(np.int64) << 16
        kind_of_delta = np.where(flags & int(Flag.REPLAY), _REPLAYED_DELTA, _DELTA).astype(np.int64)
        keys: NDArray[Any] = np.zeros(len(flags), np.int64)
        keys[delta] = (kind_of_delta[delta] << 32) | conn[delta] | ring.column("channel", ids)[delta]
        keys[heartbeat] = (_HEARTBEAT << 32) | conn[heartbeat]
        for row_id in ring.comments.rows_in(ids):  # what somebody wrote about stands alone
            keys[row_id - max(ids.start, ring.first_id)] = 0
        return keys
