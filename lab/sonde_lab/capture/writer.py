"""Writes rows to a capture file from a thread of its own, so that a slow disk never slows the traffic.

Owns the queue and the thread. When the queue is full the newest rows are lost and counted, and so is all else that
finds no room. When the disk fails, it stops and keeps the first failure as a sentence; the traffic goes on. It refuses
to write over a file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from sonde_lab.capture.schema import SIDE_FILES, CaptureFailed, create, written_here
from sonde_lab.capture.taken import (
    Annotation,
    Comment,
    ItemWriter,
    Roster,
    RoundTrip,
    Rows,
    Snapshot,
    Taken,
    Written,
)
from sonde_lab.records import Record

COMMIT_EVERY_S: Final = 0.05  # with the 100 ms of whoever flushes the log, a row is in the file within 200 ms
COMMIT_AT_ROWS: Final = 1_000
MAX_QUEUED_BYTES: Final = 64 << 20
MAX_QUEUED_BATCHES: Final = 16_384
_BUSY_S: Final = 2.0  # how long a reader elsewhere is waited for
_ROW_BYTES: Final = 200  # what a queued row takes besides its payload, about
_SNAPSHOT_BYTES: Final = (
    64 << 10
)  # what a waiting document is counted as: its size is known when it is written


class CaptureWriter:
    """One new file. `rows` and `payload_bytes` are written, `rows_lost` are not; `failure` says why it stopped.

    `left_out` counts annotations, comments and snapshots that found no room or were too large; `file_bytes` is how
    large the file is, with what SQLite has not yet brought into it. `about` goes into the table `meta`.

    Raises:
        CaptureFailed: the file is there already, or cannot be made.
    """

    def __init__(self, path: Path, about: Sequence[tuple[str, object]] = ()) -> None:
        self.path = path
        self.rows = 0
        self.payload_bytes = 0
        self.file_bytes = 0
        self.rows_lost = 0
        self.left_out = 0
        self.failure = ""
        self._next_id = 0
        self._queue: deque[Taken] = deque()
        self._queued_bytes = 0
        self._queued_rows = 0
        self._given = 0  # items, ever
        self._done = 0  # of them, written or given up
        self._changed = threading.Condition()
        self._is_closing = False
        self._file = _make(path)
        written_here.add(self._file)
        self._database = self._open(about)
        (self._page_bytes,) = self._database.execute("PRAGMA page_size").fetchone()
        self._items = ItemWriter(self._database)
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ the traffic's side: never waits, never raises

    def add(self, records: Sequence[Record]) -> None:
        """Take rows in, under the ids that follow."""
        self.on_rows(self._next_id, records)

    def on_rows(self, first_id: int, records: Sequence[Record]) -> None:
        """Take rows in under their ids; they belong to the writer from now on."""
        self._next_id = first_id + len(records)
        size = sum(len(record.payload) + _ROW_BYTES for record in records)
        if not self._take(Rows(first_id, records, size), size, len(records)):
            self.rows_lost += len(records)

    def on_annotated(self, row_id: int, rtt_ms: float | None, flags: int, without: int = 0) -> None:
        """Say more about a row that was given before."""
        self.give(Annotation(rtt_ms, flags, row_id, without))

    def annotate(self, row_id: int, rtt_ms: float | None = None, flags: int = 0) -> None:
        """The same as `on_annotated`."""
        self.on_annotated(row_id, rtt_ms, flags)

    def on_comment(self, row_id: int, wall: float, text: str) -> None:
        """What a person says about a row; an empty text takes it away."""
        self.give(Comment(row_id, wall, text))

    def give(self, item: Annotation | Comment | RoundTrip | Roster | Snapshot) -> None:
        """Take anything else in; without room it is left out and counted."""
        if not self._take(item, _SNAPSHOT_BYTES if isinstance(item, Roster | Snapshot) else 0, 0):
            self.left_out += 1

    def wait_until_written(self, limit_s: float) -> bool:
        """Wait, not on a loop, until all that was given before is in the file; whether it is."""
        with self._changed:
            asked = self._given
            self._changed.wait_for(lambda: self._done >= asked, limit_s)
            return self._done >= asked and not self.failure

    def close(self) -> None:
        """Write what waits and leave a single file. A second time does nothing."""
        self.end()
        self._thread.join()

    def end(self) -> None:
        """As `close`, without waiting for it."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    def _take(self, item: Taken, size: int, rows: int) -> bool:
        with self._changed:
            if not self._has_room(size):
                return False
            self._queue.append(item)
            self._given += 1
            self._queued_bytes += size
            self._queued_rows += rows
            if self._queued_rows >= COMMIT_AT_ROWS or len(self._queue) == 1:
                self._changed.notify_all()
            return True

    def _has_room(self, size: int) -> bool:
        if self.failure or self._is_closing or len(self._queue) >= MAX_QUEUED_BATCHES:
            return False
        return not self._queue or self._queued_bytes + size <= MAX_QUEUED_BYTES

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        batch = self._next()
        while batch:
            try:
                self._write(batch)
            except (sqlite3.Error, OSError, OverflowError, ValueError, MemoryError) as error:
                self._fail(error, batch)
                break
            batch = self._next()
        self._finish()

    def _next(self) -> list[Taken]:
        """What to commit now; nothing when it is closed and all is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closing)
            self._changed.wait_for(
                lambda: self._queued_rows >= COMMIT_AT_ROWS or self._is_closing, COMMIT_EVERY_S
            )
            taken = list(self._queue)
            self._queue.clear()
            self._queued_bytes = self._queued_rows = 0
            return taken

    def _write(self, taken: list[Taken]) -> None:
        """One transaction, everything in the order in which it came."""
        status = self.path.stat()
        if (status.st_dev, status.st_ino) != self._file:
            raise FileNotFoundError(2, "the file was replaced by another one")
        self._database.execute("BEGIN")
        added = [self._items.write(item) for item in taken]
        self._database.execute("COMMIT")
        (pages,) = self._database.execute("PRAGMA page_count").fetchone()
        self._count(added, pages * self._page_bytes)

    def _count(self, added: list[Written], file_bytes: int) -> None:
        with self._changed:
            self.rows += sum(each.rows for each in added)
            self.payload_bytes += sum(each.payload_bytes for each in added)
            self.left_out += sum(each.snapshots_left_out for each in added)
            self.file_bytes = file_bytes
            self._done += len(added)
            self._changed.notify_all()

    def _fail(self, error: Exception, taken: list[Taken]) -> None:
        why = getattr(error, "strerror", "") or str(error)
        with self._changed:
            self.failure = (
                f"the capture {self.path} has stopped: {why}. Its first {self.rows:,} rows are kept; free some room "
                "or choose another disk, and capture into a new file."
            )
            waiting = [*taken, *self._queue]
            self._queue.clear()
            self.rows_lost += sum(len(item.records) for item in waiting if isinstance(item, Rows))
            self.left_out += sum(not isinstance(item, Rows) for item in waiting)
            self._done = self._given
            self._changed.notify_all()

    def _finish(self) -> None:
        database = self._database
        try:
            if self.failure:
                database.execute("ROLLBACK") if database.in_transaction else None
            else:
                closed = [
                    ("closed_wall", time.time()),
                    ("rows", self.rows),
                    ("rows_lost", self.rows_lost),
                    ("left_out", self.left_out),
                ]
                database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", closed)
                with contextlib.suppress(
                    sqlite3.OperationalError
                ):  # somebody reads it: its -wal stays beside it
                    database.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            self.failure = self.failure or f"the capture {self.path} was not closed properly: {error}"
        finally:
            database.close()
            written_here.discard(self._file)

    def _open(self, about: Sequence[tuple[str, object]]) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
        try:
            database.execute("BEGIN")
            create(database)
            database.executemany("INSERT INTO meta VALUES (?, ?)", [*_meta(), *about])
            database.execute("COMMIT")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error as error:
            database.close()
            written_here.discard(self._file)
            self.path.unlink(missing_ok=True)
            raise CaptureFailed(f"{self.path} cannot be written: {error}; choose another place") from None
        return database


def _make(path: Path) -> tuple[int, int]:
    """A new, empty file that only its owner reads; its device and inode."""
    try:
        for end in SIDE_FILES:
            if os.path.lexists(f"{path}{end}"):
                raise CaptureFailed(
                    f"{path}{end} is left of another file; move it away, or choose another name"
                )
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise CaptureFailed(f"{path} is there already; choose another name, or move it away") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise CaptureFailed(f"{path} cannot be made: {why}; choose another place") from None
    try:
        status = os.fstat(handle)
        return status.st_dev, status.st_ino
    finally:
        os.close(handle)


def _meta() -> list[tuple[str, object]]:
    try:
        sonde = version("sonde")
    except PackageNotFoundError:
        sonde = "unknown"
    return [
        ("sonde", sonde),
        ("created_wall", time.time()),
        ("created_monotonic", time.monotonic()),
        ("pid", os.getpid()),
    ]
