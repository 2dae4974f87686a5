"""A whole copy of a capture under a name of a person's choice, taken while rows still come in.

Owns the copy: of one moment, of the newest version, there only once it is complete. It refuses to write over a file
unless it is told to, and never touches the capture itself.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from sonde_lab.capture.files import SAVED
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import SIDE_FILES, CaptureFailed, CaptureUnreadable, migrate

_PAGES_AT_ONCE: Final = 1_024  # of 4 KiB, between two looks at whether it is still wanted


class SaveCancelled(Exception):
    """Whoever asked for the copy does not want it any more; nothing is left of it."""


class Saved(NamedTuple):
    """A copy that is there."""

    path: Path
    rows: int
    size_bytes: int


class Saving:
    """What is known of a copy on its way, from any thread: the `share` that is done, and whether it is still wanted."""

    def __init__(self) -> None:
        self.share = 0.0
        self.is_cancelled = False

    def cancel(self) -> None:
        """Stop soon, and leave nothing behind."""
        self.is_cancelled = True

    def on_pages(self, _status: int, remaining: int, total: int) -> None:
        """Called by SQLite after each step."""
        self.share = 1.0 - remaining / total if total else 0.0
        if self.is_cancelled:
            raise SaveCancelled


def save(source: Path, target: Path, saving: Saving, *, overwrite: bool = False) -> Saved:
    """Copy the capture `source`, as it is at this moment, to `target`. Takes its time: call it in a thread.

    Raises:
        CaptureFailed: it cannot be read or written, or `target` is there already. SaveCancelled: as `saving` said.
    """
    _check(source, target, overwrite)
    try:
        handle, name = tempfile.mkstemp(".tmp", ".sonde-", target.parent)  # only its owner reads it
        os.close(handle)
        unfinished = Path(name)
        try:
            rows = _copy(source, unfinished, saving)
            unfinished.replace(target)
        finally:
            for end in ("", *SIDE_FILES):
                Path(f"{unfinished}{end}").unlink(missing_ok=True)
        return Saved(target, rows, target.stat().st_size)
    except (sqlite3.Error, OSError, CaptureUnreadable) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise CaptureFailed(f"{target} could not be saved: {why}") from None


def _check(source: Path, target: Path, overwrite: bool) -> None:
    if os.path.lexists(target):
        if os.path.exists(target) and os.path.samefile(source, target):
            raise CaptureFailed(f"{target} is the capture that is being written; choose another name")
        if not overwrite:
            raise CaptureFailed(f"{target} is there already; choose another name")
    for end in SIDE_FILES:
        if os.path.lexists(f"{target}{end}"):
            raise CaptureFailed(f"{target}{end} is there: that file is open elsewhere; choose another name")


def _copy(source: Path, target: Path, saving: Saving) -> int:
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        with CaptureReader.open(source) as reader:
            reader.copy_to(copy, _PAGES_AT_ONCE, saving.on_pages)
        copy.execute("PRAGMA trusted_schema = OFF")
        copy.execute("PRAGMA journal_mode = DELETE")
        migrate(copy)
        marks = [(SAVED, time.time()), ("closed_wall", time.time())]
        copy.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", marks)
        (rows,) = copy.execute("SELECT count(*) FROM row").fetchone()
        return int(rows)
    finally:
        copy.close()
