"""Rows in words: when they were, and what they say on one line, with what was known before them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sonde_lab.records import Record
from sonde_lab.ring import Ring
from sonde_lab.summary import Summaries, summarize

_ROWS: Final = 4_000
_BYTES: Final = 64 << 20
_MAX_WALL: Final = 253_402_300_000.0


class Telling:
    """Summaries of rows that come in order; the newest are remembered, since a delta is told by what was before it."""

    def __init__(self) -> None:
        self._ring = Ring(_ROWS, _BYTES)
        self._summaries = Summaries(self._ring)

    def summaries(self, records: Sequence[Record]) -> list[str]:
        """One line for each."""
        ids = self._ring.extend(records)  # all at once: one by one they take several times as long
        return [
            self._summaries.text(row_id) if row_id >= self._ring.first_id else summarize(record)
            for row_id, record in zip(ids, records, strict=True)
        ]


def utc(wall: float) -> str:
    """Unix seconds as 2026-01-31 12:00:00.250, in UTC."""
    when = datetime.fromtimestamp(min(max(wall, 0.0), _MAX_WALL), UTC)
    return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03}"
