"""The one writer of a ring: gathers records, gives them their ids at once and writes them in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from sonde_lab.blocks import ReadyRows
from sonde_lab.records import Record
from sonde_lab.ring import Ring

FLUSH_AT_ROWS: Final = 512  # a script that never asks for changes still gets its rows written


class RowSink(Protocol):
    """Who else gets every row, such as a capture. It never waits and never raises."""

    def on_rows(self, first_id: int, records: Sequence[Record]) -> None:
        """Rows that were written, under ids from `first_id` on; they are the sink's own from now on."""

    def on_annotated(self, row_id: int, rtt_ms: float | None, flags: int, without: int = 0) -> None:
        """More about a row that was given before. `without`: flags taken off."""

    def on_comment(self, row_id: int, wall: float, text: str) -> None:
        """What a person says about a row; an empty text takes it away."""


class RowLog:
    """Rows on their way into a ring. `wall` turns monotonic into Unix seconds, by one offset for all rows.

    `sink`, set by whoever composes, gets the same rows and annotations.
    """

    def __init__(self, ring: Ring, now: Callable[[], float], unix: Callable[[], float] = time.time) -> None:
        self.ring = ring
        self.sink: RowSink | None = None
        self._pending: list[Record] = []
        self._new_rows = 0
        self._is_foreign = False  # the rows are of a file, which no sink was given
        self._last_at = 0.0
        self._now = now
        self._offset_s = unix() - now()

    def wall(self, at: float) -> float:
        """Unix seconds of a monotonic instant."""
        return at + self._offset_s

    def not_before(self, at: float) -> float:
        """An instant that keeps rows in order of time: happenings are told a moment after the bytes they are about."""
        return max(at, self._last_at)

    @property
    def last_id(self) -> int:
        """The id of the newest row; -1 when there was none."""
        return self.ring.next_id + len(self._pending) - 1

    def add(self, record: Record) -> int:
        """Take a row in; the id that it has from now on."""
        row_id = self.ring.next_id + len(self._pending)
        self._last_at = record.at
        self._pending.append(record)
        if len(self._pending) >= FLUSH_AT_ROWS:
            self.flush()
        return row_id

    def annotate(self, row_id: int, *, rtt_ms: float | None = None, flags: int = 0, without: int = 0) -> None:
        """Say more about a row, written already or not. `without`: flags taken off."""
        index = row_id - self.ring.next_id
        if index < 0:
            self.ring.annotate(row_id, rtt_ms=rtt_ms, flags=flags, without=without)
            if self.sink is not None and not self._is_foreign:
                self.sink.on_annotated(row_id, rtt_ms, flags, without)
            return
        record = self._pending[index]
        record.flags = (record.flags | flags) & ~without
        if rtt_ms is not None:
            record.rtt_ms = rtt_ms

    def comment(self, row_id: int, text: str) -> None:
        """Write about a row, 300 characters at most; an empty text takes it back. One that has gone is left in peace."""
        self.flush()
        if row_id in self.ring.ids:
            self.ring.comment(row_id, text)
            if self.sink is not None and not self._is_foreign:
                self.sink.on_comment(row_id, self.wall(self._now()), self.ring.comments.text(row_id))

    def flush(self) -> None:
        """Write what is pending."""
        if self._pending:
            rows, self._pending = self._pending, []
            ids = self.ring.extend(rows)
            self._new_rows += len(ids)
            if self.sink is not None:
                self.sink.on_rows(ids.start, rows)

    def extend_ready(self, rows: ReadyRows) -> None:
        """Write rows that were made elsewhere, such as those of a file. The sink does not get them."""
        self.flush()
        self._is_foreign = True
        self._new_rows += len(self.ring.extend_ready(rows))

    def clear(self) -> None:
        """Let all rows go."""
        self.flush()
        self.ring.clear()
        self._is_foreign = False
        self._last_at = 0.0

    def take_new_rows(self) -> int:
        """Write what is pending; how many rows came since the last call."""
        self.flush()
        count, self._new_rows = self._new_rows, 0
        return count
