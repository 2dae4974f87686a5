"""Writes rows to a capture file from a thread of its own, so that a slow disk never slows the traffic.

Owns the queue and the thread. When the queue is full the newest rows are lost and counted. When the disk fails, it
stops and keeps the first failure as a sentence; the traffic goes on. It refuses to write over a file.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from sonde_lab.capture.schema import MAX_PAYLOAD_BYTES, SIDE_FILES, CaptureFailed, create
from sonde_lab.names import Names
from sonde_lab.records import Flag, Record

COMMIT_EVERY_S: Final = 0.05  # with the 100 ms of whoever flushes the log, a row is in the file within 200 ms
COMMIT_AT_ROWS: Final = 1_000
MAX_QUEUED_BYTES: Final = 64 << 20
MAX_QUEUED_BATCHES: Final = 16_384
_ROW_BYTES: Final = 200  # what a queued row takes besides its payload, about
_INT64: Final = (1 << 63) - 1
_INSERT: Final = "INSERT INTO row VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ANNOTATE: Final = "UPDATE row SET rtt_ms = coalesce(?, rtt_ms), flags = flags | ? WHERE id = ?"

_Batch = tuple[int, Sequence[Record], int]  # first id, rows, bytes
_Note = tuple[float | None, int, int]  # round trip, flags, row


class CaptureWriter:
    """One new file. `rows` and `payload_bytes` are written, `rows_lost` are not; `failure` says why it stopped.

    Raises:
        CaptureFailed: the file is there already, or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.payload_bytes = 0
        self.rows_lost = 0
        self.failure = ""
        self._names = Names()
        self._written_names = 0
        self._next_id = 0
        self._queue: deque[_Batch | _Note] = deque()
        self._queued_bytes = 0
        self._queued_rows = 0
        self._changed = threading.Condition()
        self._is_closing = False
        self._inode = _make(path)
        self._database = self._open()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ the traffic's side: never waits, never raises

    def add(self, records: Sequence[Record]) -> None:
        """Take rows in, under the ids that follow."""
        self.on_rows(self._next_id, records)

    def on_rows(self, first_id: int, records: Sequence[Record]) -> None:
        """Take rows in under their ids; they belong to the writer from now on."""
        size = sum(len(record.payload) + _ROW_BYTES for record in records)
        with self._changed:
            self._next_id = first_id + len(records)
            if not self._has_room(size):
                self.rows_lost += len(records)
                return
            self._queue.append((first_id, records, size))
            self._queued_bytes += size
            self._queued_rows += len(records)
            if self._queued_rows >= COMMIT_AT_ROWS or len(self._queue) == 1:
                self._changed.notify()

    def on_annotated(self, row_id: int, rtt_ms: float | None, flags: int) -> None:
        """Say more about a row that was given before."""
        with self._changed:
            if self._has_room(0):
                self._queue.append((rtt_ms, flags, row_id))
                if len(self._queue) == 1:
                    self._changed.notify()

    def annotate(self, row_id: int, rtt_ms: float | None = None, flags: int = 0) -> None:
        """The same as `on_annotated`."""
        self.on_annotated(row_id, rtt_ms, flags)

    def close(self) -> None:
        """Write what waits and leave a single file. A second time does nothing."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

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

    def _next(self) -> list[_Batch | _Note]:
        """What to commit now; nothing when it is closed and all is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closing)
            self._changed.wait_for(
                lambda: self._queued_rows >= COMMIT_AT_ROWS or self._is_closing, COMMIT_EVERY_S
            )
            taken: list[_Batch | _Note] = list(self._queue)
            self._queue.clear()
            self._queued_bytes = self._queued_rows = 0
            return taken

    def _write(self, taken: list[_Batch | _Note]) -> None:
        """One transaction, rows and annotations in the order in which they came."""
        database, rows, size = self._database, 0, 0
        if self.path.stat().st_ino != self._inode:
            raise FileNotFoundError(2, "the file was replaced by another one")
        database.execute("BEGIN")
        for item in taken:
            if isinstance(item[1], int):
                database.execute(_ANNOTATE, (_rtt(item[0]), _whole(item[1]), item[2]))
                continue
            cells = [self._cells(item[0] + index, record) for index, record in enumerate(item[1])]
            self._write_names()
            database.executemany(_INSERT, cells)
            rows += len(cells)
            size += sum(len(row[-1]) for row in cells)
        database.execute("COMMIT")
        self.rows += rows
        self.payload_bytes += size

    def _cells(self, row_id: int, record: Record) -> tuple[Any, ...]:
        payload, flags = record.payload, int(record.flags)
        if len(payload) > MAX_PAYLOAD_BYTES:
            payload, flags = payload[:MAX_PAYLOAD_BYTES], flags | Flag.TRUNCATED
        return (
            row_id, _real(record.at), _real(record.wall), self._name(record.conn), _whole(record.dial),
            int(record.direction), int(record.kind), _whole(record.opcode), self._name(record.op),
            self._name(record.channel), _whole(record.size), _whole(record.code), _rtt(record.rtt_ms),
            _whole(flags), _whole(record.seq), _whole(record.command),
            self._name(record.protocol), payload,
        )  # fmt: skip

    def _name(self, text: str) -> int:
        return self._names.intern(text.encode("utf-8", "replace").decode("utf-8"))

    def _write_names(self) -> None:
        new = range(self._written_names, len(self._names))
        if new:
            texts = [(number, self._names.text(number)) for number in new]
            self._database.executemany("INSERT INTO names VALUES (?, ?)", texts)
            self._written_names = new.stop

    def _fail(self, error: Exception, taken: list[_Batch | _Note]) -> None:
        why = getattr(error, "strerror", "") or str(error)
        with self._changed:
            self.failure = (
                f"the capture {self.path} has stopped: {why}. Its first {self.rows:,} rows are kept; free some room "
                "or choose another disk, and capture into a new file."
            )
            waiting = [*taken, *self._queue]
            self._queue.clear()
            self.rows_lost += sum(len(item[1]) for item in waiting if not isinstance(item[1], int))

    def _finish(self) -> None:
        try:
            if self.failure:
                self._database.execute("ROLLBACK") if self._database.in_transaction else None
            else:
                self._database.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            self.failure = self.failure or f"the capture {self.path} was not closed properly: {error}"
        finally:
            self._database.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            database.execute("BEGIN")
            create(database)
            database.executemany("INSERT INTO meta VALUES (?, ?)", _meta())
            database.execute("COMMIT")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error as error:
            database.close()
            self.path.unlink(missing_ok=True)
            raise CaptureFailed(f"{self.path} cannot be written: {error}; choose another place") from None
        return database


def _make(path: Path) -> int:
    """A new, empty file that only its owner reads; its inode."""
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
        return os.fstat(handle).st_ino
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


def _real(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0


def _rtt(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _whole(value: int) -> int:
    return max(-_INT64, min(int(value), _INT64))
