"""A capture out: rows into a new capture file under the ids that they have."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sonde_lab.capture.schema import CaptureFailed
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.export.files import ExportFailed, Told
from sonde_lab.export.rows import Facts, Row

_LOOK_EVERY_S: Final = 0.002


class Capture:
    """Writes a new capture; waits for the disk, because the writer itself never would."""

    def __init__(self, path: Path, _facts: Facts) -> None:
        try:
            self._writer = CaptureWriter(path)
        except CaptureFailed as error:
            raise ExportFailed(str(error)) from None
        self._given = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        start = 0
        for place in range(1, len(rows) + 1):
            if place == len(rows) or rows[place].row_id != rows[place - 1].row_id + 1:
                self._writer.on_rows(rows[start].row_id, [row.record for row in rows[start:place]])
                start = place
        self._given += len(rows)
        for row in rows:
            if row.comment:
                self._writer.on_comment(row.row_id, row.record.wall, row.comment)
        while self._writer.rows + self._writer.rows_lost < self._given and not self._writer.failure:
            time.sleep(_LOOK_EVERY_S)
        self._refuse_failure()

    def close(self, _told: Told) -> None:
        """End the file."""
        self._writer.close()
        self._refuse_failure()

    def abandon(self) -> None:
        """Let go of the file."""
        self._writer.close()

    def _refuse_failure(self) -> None:
        if self._writer.failure:
            raise ExportFailed(self._writer.failure)
