"""A whole copy of a capture under a name of a person's choice, taken while rows still come in.

Owns the copy: of one moment, of the newest version, there only once it is complete. It refuses to write over a file
unless it is told to, and never touches the capture itself.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sonde_lab.capture.files import SAVED
from sonde_lab.capture.joining import append
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
        self._begin, self._weight = 0.0, 1.0

    def cancel(self) -> None:
        """Stop soon, and leave nothing behind."""
        self.is_cancelled = True

    def enter(self, begin: float, weight: float) -> None:
        """The next file: `begin` is the share that is done before it, `weight` its part of all."""
        self._begin, self._weight = begin, weight

    def on_share(self, share: float) -> None:
        """How much of the present file is done.

        Raises:
            SaveCancelled: the copy is not wanted any more.
        """
        self.share = self._begin + share * self._weight
        if self.is_cancelled:
            raise SaveCancelled

    def on_pages(self, _status: int, remaining: int, total: int) -> None:
        """Called by SQLite after each step."""
        self.on_share(1.0 - remaining / total if total else 0.0)


def save(sources: Sequence[Path], target: Path, saving: Saving, *, overwrite: bool = False) -> Saved:
    """Copy a capture, as it is at this moment, to `target`: one file, or all files of a run in their order.

    Takes its time: call it in a thread.

    Raises:
        CaptureFailed: it cannot be read or written, or `target` is there already. SaveCancelled: as `saving` said.
    """
    try:
        _check(sources, target, overwrite)
        handle, name = tempfile.mkstemp(".tmp", ".sonde-", target.parent)  # only its owner reads it
        os.close(handle)
        unfinished = Path(name)
        try:
            rows = _copy(sources, unfinished, saving)
            unfinished.replace(target)
        finally:
            for end in ("", *SIDE_FILES):
                Path(f"{unfinished}{end}").unlink(missing_ok=True)
        return Saved(target, rows, target.stat().st_size)
    except (sqlite3.Error, OSError, CaptureUnreadable) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise CaptureFailed(f"{target} could not be saved: {why}") from None


def _check(sources: Sequence[Path], target: Path, overwrite: bool) -> None:
    if os.path.lexists(target):
        if target.exists() and any(target.samefile(source) for source in sources):
            raise CaptureFailed(f"{target} is the capture that is being written; choose another name")
        if not overwrite:
            raise CaptureFailed(f"{target} is there already; choose another name")
    for end in SIDE_FILES:
        if os.path.lexists(f"{target}{end}"):
            raise CaptureFailed(f"{target}{end} is there: that file is open elsewhere; choose another name")


def _copy(sources: Sequence[Path], target: Path, saving: Saving) -> int:
    sizes = [max(1, source.stat().st_size) for source in sources]
    copy = sqlite3.connect(target, isolation_level=None, uri=True)
    try:
        saving.enter(0.0, sizes[0] / sum(sizes))
        with CaptureReader.open(sources[0]) as reader:
            reader.copy_to(copy, _PAGES_AT_ONCE, saving.on_pages)
        copy.execute("PRAGMA trusted_schema = OFF")
        copy.execute("PRAGMA journal_mode = DELETE")
        migrate(copy)
        for number, source in enumerate(sources[1:], 1):
            saving.enter(sum(sizes[:number]) / sum(sizes), sizes[number] / sum(sizes))
            append(copy, source, saving.on_share)
        (rows,) = copy.execute("SELECT count(*) FROM row").fetchone()
        marks = [(SAVED, time.time()), ("closed_wall", time.time()), ("rows", rows)]
        copy.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", marks)
        return int(rows)
    finally:
        copy.close()
