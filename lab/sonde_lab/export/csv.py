"""CSV out: the columns that a person sees, for spreadsheets and scripts (RFC 4180, UTF-8); and a plot's series.

Owns what keeps a cell from being run: a text that a spreadsheet would take for a formula gets an apostrophe before it.
Refuses to be read back: what a row was is in a capture, a HAR or JSON lines.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sonde_lab.export.files import Told, new_file
from sonde_lab.export.jsonl import flag_words, text_or_base64
from sonde_lab.export.rows import Facts, Row
from sonde_lab.export.words import Telling, utc
from sonde_lab.records import Direction, Kind
from sonde_lab.wording import one_line

COLUMNS: Final = (
    "number", "utc", "seconds", "step_ms", "direction", "connection", "dial", "kind", "type", "channel", "summary",
    "size_bytes", "rtt_ms", "code", "flags", "comment", "payload",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_WAYS: Final = {Direction.IN: "received", Direction.OUT: "sent", Direction.NONE: "here"}
_SIZED: Final = frozenset({Kind.FRAME, Kind.HANDSHAKE})


class Csv:
    """Writes a new table. Text payloads stand in their cell, others as base64."""

    def __init__(self, path: Path, _facts: Facts) -> None:
        self._file = new_file(path)
        self._telling = Telling()
        self._began = math.nan
        self._before = math.nan
        self._write([COLUMNS])

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        told = self._telling.summaries([row.record for row in rows])
        self._write([self._cells(row, summary) for row, summary in zip(rows, told, strict=True)])

    def close(self, _told: Told) -> None:
        """End the file."""
        self._file.close()

    def abandon(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _cells(self, row: Row, summary: str) -> tuple[Any, ...]:
        record = row.record
        self._began = record.at if math.isnan(self._began) else self._began
        step, self._before = record.at - self._before, record.at
        text, encoded = text_or_base64(record.payload)
        return (
            row.row_id + 1, utc(record.wall), f"{record.at - self._began:.6f}",
            "" if math.isnan(step) else f"{step * 1000:.3f}", _WAYS[record.direction], safe(record.conn), record.dial,
            record.kind.name.lower(), safe(record.op), safe(record.channel), safe(summary),
            record.size if record.kind in _SIZED else "", "" if math.isnan(record.rtt_ms) else f"{record.rtt_ms:.3f}",
            record.code or "", " ".join(flag_words(record.flags)), safe(row.comment), safe_text(text or encoded or ""),
        )  # fmt: skip

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        self._file.write(_lines(rows).encode("utf-8", "replace"))


def series(columns: Mapping[str, Sequence[float]]) -> str:
    """Columns of numbers of one length as CSV; what is no number is an empty cell. Names may come from a peer."""
    rows = zip(*columns.values(), strict=True)
    return _lines([[safe(name) for name in columns], *([_figure(value) for value in row] for row in rows)])


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Any texts as CSV in which nothing runs."""
    return _lines([list(headers), *([safe_text(cell) for cell in row] for row in rows)])


def safe(text: str) -> str:
    """A short text that no spreadsheet runs, on one line."""
    return _guarded(one_line(text, 400))


def safe_text(text: str) -> str:
    """A text of any length and any lines that no spreadsheet runs. NUL, which ends a cell in some, becomes U+2400."""
    return _guarded(text.replace("\0", "\u2400"))


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _figure(value: float) -> str:
    return (
        f"{value:.6g}"
        if abs(value) < 1e5 and math.isfinite(value)
        else f"{value:.6f}"
        if math.isfinite(value)
        else ""
    )


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    made = io.StringIO(newline="")
    csv.writer(made).writerows(rows)
    return made.getvalue()
