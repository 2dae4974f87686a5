"""Lines in and out of a program on its standard streams, each by a thread: pipes, files and terminals wait differently.

Owns the bounds: a line that is too long is told and skipped, whoever sends faster than is done is not read, and
events that nobody reads are left out and counted. Answers are never left out.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

MAX_WAITING_BYTES: Final = 4 << 20
MAX_UNDER_WAY: Final = 64
LAST_WORDS_S: Final = 2.0
_CHUNK: Final = 65_536


class Outlet:
    """Writes JSON lines to a descriptor. `on_gone` is called, from its thread, when nobody reads any more."""

    def __init__(self, descriptor: int, on_gone: Callable[[], None]) -> None:
        self.missed = 0  # events left out since the last line that said so
        self._descriptor = descriptor
        self._on_gone = on_gone
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="json lines out", daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Whether more waits than should: nothing more is to be asked for until it is read."""
        return self._size > MAX_WAITING_BYTES

    def answer(self, value: dict[str, Any]) -> None:
        """Write a line."""
        self._put(_line(value))

    def event(self, value: dict[str, Any]) -> None:
        """Write a line, unless too much waits already; then say so once there is room again."""
        line = _line(value)
        if self._size + len(line) > MAX_WAITING_BYTES:
            self.missed += 1
            return
        if self.missed:
            self._put(_line({"event": "missed", "count": self.missed}))
            self.missed = 0
        self._put(line)

    def close(self) -> None:
        """Write what waits, as long as somebody takes it."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        self._thread.join(LAST_WORDS_S)

    def _put(self, line: bytes) -> None:
        with self._changed:
            self._waiting.append(line)
            self._size += len(line)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_ending)
                if not self._waiting:
                    return
                data = b"".join(self._waiting)
                self._waiting.clear()
            try:
                _write(self._descriptor, data)
            except OSError:
                self._on_gone()
                return
            with self._changed:
                self._size -= len(data)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, default=str, separators=(",", ":")).encode() + b"\n"


class Inlet:
    """Reads lines of a descriptor and hands each over with its number, from 1; `None` at the end.

    `take` is called from its thread. Each line but an empty one waits for room, which `done` makes.
    """

    def __init__(
        self, descriptor: int, max_line_bytes: int, take: Callable[[int, bytes | None], None]
    ) -> None:
        self._descriptor = descriptor
        self._limit = max_line_bytes
        self._take = take
        self._room = threading.Semaphore(MAX_UNDER_WAY)
        self._number = 0
        threading.Thread(target=self._run, name="json lines in", daemon=True).start()

    def done(self) -> None:
        """A line that was handed over is dealt with."""
        self._room.release()

    def _run(self) -> None:
        rest = b""
        while chunk := self._read():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                self._hand_over(line)
            if len(rest) > self._limit + 1:  # what is too long is told by one byte too many
                rest = rest[: self._limit + 1]
        if rest.strip():
            self._hand_over(rest)
        self._take(self._number, None)

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _CHUNK)
        except OSError:
            return b""

    def _hand_over(self, line: bytes) -> None:
        self._number += 1
        if line.strip():
            self._room.acquire()
            self._take(self._number, line.rstrip(b"\r"))
