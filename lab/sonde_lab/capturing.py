"""The capture of a workbench: begun and ended by a person, told as a value, and given up with a sentence.

Owns the writer and the name of its file. The rows are the row log's, from the moment of the start on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sonde_lab.capture.schema import CaptureFailed
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.changes import CaptureStatus
from sonde_lab.rowlog import RowLog

TELL_EVERY_S: Final = 1.0
_ADVICE: Final = "Free some room or mend the folder, then capture again: that makes a new file."


class Capturing:
    """At most one capture. `notify` gets what a person should know: cause, title, detail, advice."""

    def __init__(self, log: RowLog, notify: Callable[[str, str, str, str], None]) -> None:
        self._log = log
        self._notify = notify
        self._writer: CaptureWriter | None = None
        self._told = CaptureStatus()
        self._told_at = -math.inf

    @property
    def is_on(self) -> bool:
        """Whether rows are being written."""
        return self._writer is not None

    def start(self, folder: Path) -> None:
        """Begin a new file in `folder`, named by the time. That it cannot be made is told, never raised."""
        if self._writer is not None:
            return
        path = folder / f"sonde-{time.strftime('%Y%m%d-%H%M%S')}.sonde"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._log.flush()  # what was seen before is not part of it
            self._writer = self._log.sink = CaptureWriter(path)
        except (CaptureFailed, OSError) as error:
            self._notify("capture_failed", "The capture did not start", str(error), _ADVICE)

    async def stop(self) -> None:
        """End it: what waits is written, and one file is left."""
        writer = self._writer
        if writer is None:
            return
        self._log.flush()
        self._writer = self._log.sink = None
        await asyncio.to_thread(writer.close)
        self._tell_failure(writer)

    def take(self, now: float) -> CaptureStatus | None:
        """What is known of it, where that has changed; sizes are told once a second."""
        writer = self._writer
        if writer is not None and writer.failure:
            self._writer = self._log.sink = None
            writer.close()  # its thread has ended by itself
            self._tell_failure(writer)
            writer = None
        status = CaptureStatus() if writer is None else _status(writer)
        is_due = status.path != self._told.path or now - self._told_at >= TELL_EVERY_S
        if status == self._told or not is_due:
            return None
        self._told, self._told_at = status, now
        return status

    def _tell_failure(self, writer: CaptureWriter) -> None:
        lost = f" {writer.rows_lost:,} rows are not in it." if writer.rows_lost else ""
        if writer.failure or lost:
            title = "The capture has stopped" if writer.failure else "The capture is not whole"
            self._notify("capture_failed", title, f"{writer.failure}{lost}".strip(), _ADVICE)


def _status(writer: CaptureWriter) -> CaptureStatus:
    return CaptureStatus(str(writer.path), writer.rows, writer.payload_bytes, writer.rows_lost)
