"""What one test saw: its rows, told as sentences, judged, and written to a capture file.

Owns the ring of one test and the story of each connection in it. It starts nothing and expects nothing.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from sonde_lab.capture.schema import SIDE_FILES, CaptureFailed
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.notices import NoticeBoard
from sonde_lab.promises import Tally
from sonde_lab.records import NO_COMMAND, NO_SEQ, Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.summary import Summaries
from sonde_lab.verdict import Verdict, why
from sonde_lab.wording import one_line

RING_ROWS: Final = 50_000
RING_BYTES: Final = 64 << 20
SHOWN_ROWS: Final = 40
SHOWN_VERDICTS: Final = 5
MAX_HAPPENINGS: Final = 10_000
_BATCH: Final = 1_000
_WRITE_S: Final = 30.0
IsMine = Callable[[str], bool]  # whether a connection of that name is meant
_ARROWS: Final = {Direction.IN: "←", Direction.OUT: "→", Direction.NONE: "·"}


def _everybody(_conn: str) -> bool:
    return True


class Happening(NamedTuple):
    """Something that happened to a connection: `live`, `lost` or `closed`. `at` is monotonic seconds."""

    what: str
    at: float
    session: str = ""
    code: int = 0
    words: str = ""


class Story:
    """What happened to a client, or to the clients of a proxy; `marks` are how far each kind of expectation has read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: dict[str, int] = {}
        self._told = 0
        self._happenings: deque[Happening] = deque(maxlen=MAX_HAPPENINGS)

    def tell(self, happening: Happening) -> None:
        """Add what happened now."""
        self._told += 1
        self._happenings.append(happening)

    def since(self, mark: int) -> list[tuple[int, Happening]]:
        """What happened after a mark, each with the mark that lies behind it."""
        first = self._told - len(self._happenings)
        return [(n, each) for n, each in enumerate(self._happenings, first + 1) if n > mark]


class Recording:
    """One test's rows. `name` is the test's own; all methods but `save` belong to the loop's thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = RowLog(Ring(RING_ROWS, RING_BYTES), time.monotonic)
        self.board = NoticeBoard(self.log.wall)
        self.tally = Tally()
        self._began = time.monotonic()
        self._words = Summaries(self.log.ring)

    def say(self, text: str, *, injected: bool = False, conn: str = "test") -> None:
        """A row about what the test itself did, in the words of the workbench: the verdict knows those."""
        at = self.log.not_before(time.monotonic())
        flags = int(Flag.INJECTED) if injected else 0
        self.log.add(
            Record(
                at, self.log.wall(at), conn, 0, Direction.NONE, Kind.ACT, 0, "act", "", 0,
                text.encode("utf-8", "replace"), flags=flags, seq=NO_SEQ, command=NO_COMMAND,
            )
        )  # fmt: skip

    def last_rows(self, limit: int = SHOWN_ROWS, is_mine: IsMine = _everybody) -> list[str]:
        """The newest rows as lines, oldest first; of the connections that are meant."""
        self.log.flush()
        ring = self.log.ring
        found: list[int] = []
        for row_id in reversed(ring.ids):
            if is_mine(ring.text("conn", row_id)) and not ring.value("flags", row_id) & Flag.HEARTBEAT:
                found.append(row_id)
            if len(found) == limit:
                break
        return [self._line(row_id) for row_id in reversed(found)]

    def last_verdict(self, is_mine: IsMine = _everybody) -> list[str]:
        """Why the newest connection that ended did so, as lines; empty when none has."""
        self.log.flush()
        ring = self.log.ring
        for row_id in np.flatnonzero(ring.column("kind") == Kind.CLOSE)[::-1].tolist():
            row_id += ring.first_id
            if is_mine(ring.text("conn", row_id)):
                return _in_words(one_line(ring.text("conn", row_id), 24), why(ring, row_id))
        return []

    def verdicts(self, is_mine: IsMine, after_id: int) -> list[tuple[int, Verdict]]:
        """Row and verdict of the last ends from row `after_id` on, of the connections that are meant."""
        self.log.flush()
        ring = self.log.ring
        ids = range(max(after_id, ring.first_id), ring.next_id)
        found = (np.flatnonzero(ring.column("kind", ids) == Kind.CLOSE) + ids.start).tolist()
        mine = [each for each in found if is_mine(ring.text("conn", each))]
        return [(each, why(ring, each)) for each in mine[-SHOWN_VERDICTS:]]

    def close_codes(self, is_mine: IsMine, after_id: int) -> list[tuple[int, int]]:
        """Row and code of each close frame from row `after_id` on, of the connections that are meant."""
        self.log.flush()
        ring = self.log.ring
        ids = range(max(after_id, ring.first_id), ring.next_id)
        is_close = (ring.column("kind", ids) == Kind.FRAME) & (ring.column("opcode", ids) == 8)
        found = (np.flatnonzero(is_close) + ids.start).tolist()
        return [(each, ring.value("code", each)) for each in found if is_mine(ring.text("conn", each))]

    def _line(self, row_id: int) -> str:
        ring = self.log.ring
        conn, op = one_line(ring.text("conn", row_id), 24), one_line(ring.text("op", row_id), 16)
        arrow = _ARROWS[Direction(ring.value("direction", row_id))]
        mark = " (injected)" if ring.value("flags", row_id) & Flag.INJECTED else ""
        after_s = ring.value("at", row_id) - self._began
        return f"{after_s:8.3f} s  {conn:<8} {arrow} {op:<10} {self._words.text(row_id)}{mark}"

    def records(self) -> list[tuple[int, Record]]:
        """All rows, for `save`."""
        self.log.flush()
        return [(row_id, self.log.ring.record(row_id)) for row_id in self.log.ring.ids]

    def save(self, folder: Path, rows: list[tuple[int, Record]]) -> Path:
        """Write rows to a new file in `folder`, named by the test. It is as private as what passed: tokens stand in it.

        Raises:
            CaptureFailed: it cannot be written; the message is a sentence.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise CaptureFailed(f"The folder {folder} cannot be made: {error.strerror}") from None
        writer = CaptureWriter(_free_path(folder, self.name))
        try:
            for start in range(0, len(rows), _BATCH):
                batch = rows[start : start + _BATCH]
                writer.on_rows(batch[0][0], [record for _, record in batch])
                writer.wait_until_written(_WRITE_S)
        finally:
            writer.close()
        if writer.failure:
            raise CaptureFailed(writer.failure)
        return writer.path


def _in_words(conn: str, verdict: Verdict) -> list[str]:
    more = (*verdict.either, verdict.missing, verdict.advice)
    return [f"{conn}: {verdict.title}", f"  {verdict.sentence}", *(f"  {each}" for each in more if each)]


def _free_path(folder: Path, name: str) -> Path:
    """`test_arena.py::test_drop[1]` becomes `test_arena.py-test_drop-1.sonde`, with a number when that is taken."""
    stem = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[-120:] or "test"
    for number in range(1, 1_000):
        path = folder / (f"{stem}.sonde" if number == 1 else f"{stem}-{number}.sonde")
        if not any(Path(f"{path}{end}").exists() for end in ("", *SIDE_FILES)):
            return path
    raise CaptureFailed(f"{folder} has too many captures of {stem}; delete some")
