"""Payload blocks on disk behind a ring: private files without a name, written by a thread, read where asked.

Owns the files, the thread and its queue. At most two blocks wait for the disk; a block that finds no room stays in
memory, and whoever owns it decides what goes instead. The first failure of the disk is kept as a sentence; later
blocks are tried all the same, since evicted ones give their room back. It refuses to know what is in a block.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol

logger = logging.getLogger(__name__)
SEGMENT_BYTES: Final = 64 << 20  # a file ends here, so that evicted blocks give their room back
MAX_QUEUED_BLOCKS: Final = 2
_READS_ANYWHERE: Final = hasattr(os, "pread")  # else reading moves the file's position


class Segment:
    """One file that nobody else can find; it is gone with the last block in it. Any thread may read it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="sonde-", dir=folder, buffering=0)  # noqa: SIM115
        self._turn = threading.Lock()
        self.size = 0

    def write(self, data: bytearray) -> int:
        """Add a block at the end; where it begins.

        Raises:
            OSError: the disk is full, or fails.
        """
        start, left = self.size, memoryview(data)
        while left:
            with self._turn:
                self._file.seek(self.size)
                written = self._file.write(left)
            self.size += written
            left = left[written:]
        return start

    def read(self, start: int, size: int) -> bytes:
        """Bytes of a block, beside a write where the system can do that.

        Raises:
            OSError: the disk fails.
        """
        if _READS_ANYWHERE:
            return os.pread(self._file.fileno(), size, start)
        with self._turn:
            self._file.seek(start)
            return self._file.read(size)

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()


class Place(NamedTuple):
    """Where a block is on disk."""

    segment: Segment
    start: int

    def read(self, start: int, size: int) -> bytes:
        """Some of the block's bytes. What the disk does not give back is zero bytes, so that offsets hold."""
        try:
            found = self.segment.read(self.start + start, size)
        except OSError as error:
            logger.error("a payload cannot be read back: %s", error)
            found = b""
        return found.ljust(size, b"\0")


class Spoolable(Protocol):
    """A block that can be on disk instead of in memory."""

    @property
    def data(self) -> bytearray | None:
        """Its bytes while they are in memory."""

    def settle(self, place: Place | None) -> None:
        """Its bytes are on disk from now on; with `None` the disk did not take them."""


class Spool:
    """Takes blocks of one ring to `folder`.

    `problem` is the first failure of the disk, in words; `is_failing` says that the last block could not be written.
    """

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.problem = ""
        self.is_failing = False
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segment: Segment | None = None
        self._queue: deque[Spoolable] = deque()
        self._is_busy = self._is_closing = False
        self._is_told = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def take(self, block: Spoolable) -> bool:
        """Have a block written soon; False when there is no room for it now. Never waits for the disk."""
        with self._changed:
            if self._is_closing or len(self._queue) >= MAX_QUEUED_BLOCKS:
                return False
            self._queue.append(block)
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
            self._thread.start()
        return True

    def wait_for_room(self) -> None:
        """From another thread: until the disk is no longer behind."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) < MAX_QUEUED_BLOCKS)

    def take_problem(self) -> str:
        """The problem, the first time that there is one; else nothing."""
        if not self.problem or self._is_told:
            return ""
        self._is_told = True
        return self.problem

    def wait(self) -> None:
        """Until everything that was taken is on disk, or has failed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and not self._is_busy)

    def close(self) -> None:
        """Take no more, and end the thread. Blocks on disk can be read as long as somebody holds them."""
        with self._changed:
            self._is_closing = True
            self._queue.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._segment = None

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        while (block := self._next()) is not None:
            try:
                self._store(block)
            except (OSError, ValueError, MemoryError) as error:
                block.settle(None)
                self._fail(error)
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _next(self) -> Spoolable | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closing)
            if self._is_closing:
                return None
            self._is_busy = True
            return self._queue.popleft()

    def _store(self, block: Spoolable) -> None:
        data = block.data
        if data is None:
            return
        if self._segment is None or self._segment.size + len(data) > self._segment_bytes:
            self._segment = Segment(self._folder)
        block.settle(Place(self._segment, self._segment.write(data)))
        self.is_failing = False

    def _fail(self, error: Exception) -> None:
        why = getattr(error, "strerror", None) or str(error) or "not enough memory"
        self.is_failing = True
        self.problem = self.problem or f"Payloads cannot be kept in {self._folder}: {why}."
