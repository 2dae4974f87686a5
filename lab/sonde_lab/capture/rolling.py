"""One capture over several files: rows go to the newest, and what is said later finds the file that has its row."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sonde_lab.capture.taken import Roster, RoundTrip, Snapshot
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.records import Record


class RollingWriter:
    """A sink of rows. The file before the newest stays open, for answers and comments that come late."""

    def __init__(self, writer: CaptureWriter) -> None:
        self.current = writer
        self.before: CaptureWriter | None = None
        self._first_id: float = 0  # of the newest file

    @property
    def writers(self) -> list[CaptureWriter]:
        """All that is open, the newest last."""
        return [self.current] if self.before is None else [self.before, self.current]

    def roll(self, writer: CaptureWriter) -> CaptureWriter | None:
        """Go on in the next file; the one that is to be closed, off the loop."""
        done, self.before, self.current = self.before, self.current, writer
        self._first_id = math.inf
        return done

    def on_rows(self, first_id: int, records: Sequence[Record]) -> None:
        """Rows, under their ids."""
        self._first_id = min(self._first_id, first_id)
        self.current.on_rows(first_id, records)

    def on_annotated(self, row_id: int, rtt_ms: float | None, flags: int, without: int = 0) -> None:
        """More about a row; of a file that is closed already, it is lost."""
        self._of(row_id).on_annotated(row_id, rtt_ms, flags, without)

    def on_comment(self, row_id: int, wall: float, text: str) -> None:
        """What a person says about a row; about one of a closed file, it goes to the file before the newest."""
        self._of(row_id).on_comment(row_id, wall, text)

    def give(self, item: RoundTrip | Roster | Snapshot) -> None:
        """What stands beside the rows."""
        self.current.give(item)

    def _of(self, row_id: int) -> CaptureWriter:
        return self.before if self.before is not None and row_id < self._first_id else self.current
