"""Reads a capture file that anybody may have made: nothing in it runs, and nothing in it is believed.

Owns the checks. A file that is no capture, or is damaged, is a `CaptureUnreadable` with a sentence. A row with odd
values is shown with what can be shown, flagged `MALFORMED`. It never writes.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from sonde_lab.capture.cells import INT32, INT64, MAX_SECONDS, NO_JSON, Cells, json_of, text_of
from sonde_lab.capture.opening import check_header, connected, in_words
from sonde_lab.capture.schema import (
    APPLICATION_ID,
    MAX_PAYLOAD_BYTES,
    MAX_SNAPSHOT_BYTES,
    ROW_COLUMNS,
    CaptureUnreadable,
    expected_objects,
    objects,
    refuse_version,
    select_row,
)
from sonde_lab.capture.taken import Comment, Roster, RoundTrip, Snapshot
from sonde_lab.comments import MAX_CHARACTERS as MAX_COMMENT
from sonde_lab.comments import MAX_COMMENTS, comment_line
from sonde_lab.names import MAX_CHARACTERS, MAX_NAMES, OTHER
from sonde_lab.records import NO_COMMAND, NO_RTT, NO_SEQ, Direction, Flag, Kind, Record

QUERY_LIMIT_S: Final = 20.0
MAX_ROWS_AT_ONCE: Final = 10_000
MAX_BYTES_AT_ONCE: Final = 64 << 20
MAX_ADDED: Final = 1_000_000  # of comments, round trips, rosters or snapshots
_STEPS: Final = 20_000  # of SQLite's machine between two looks at the clock

_MAX_META: Final = 64
_NAME: Final = "SELECT substr(CAST(text AS BLOB), 1, ?) FROM names WHERE id = ?"
_FIXED: Final = (
    "id", "at", "wall", "conn", "dial", "direction", "kind", "opcode", "op", "channel", "size", "code", "rtt_ms",
    "flags", "seq", "command", "protocol", "wire_bytes", "fragments",
)  # fmt: skip
# Texts as bytes and cut, so that no cell is larger than what is asked for; one byte more tells that it was cut.
_CUT: Final = f"1, {MAX_SNAPSHOT_BYTES + 1}"
_ADDED: Final = {
    "comment": f"row, wall, substr(CAST(text AS BLOB), 1, {4 * MAX_COMMENT})",
    "rtt": "at, wall, conn, rtt_ms",
    "presence": f"at, wall, channel, substr(CAST(members AS BLOB), {_CUT})",
    "state": f"at, wall, channel, seq, hash_ok, substr(CAST(document AS BLOB), {_CUT})",
}


class CaptureReader:
    """An open capture. Use `open`; it is a context manager."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self._database = database
        self._names: dict[int, str] = {}
        self._until = 0.0
        self.version = 0
        self._fixed = ""
        database.set_progress_handler(lambda: time.monotonic() > self._until, _STEPS)

    @classmethod
    def open(cls, path: Path) -> CaptureReader:
        """Open and check a file.

        Raises:
            CaptureUnreadable: it is no capture, a damaged one, or one of the future.
        """
        path = Path(path)
        check_header(path)
        reader = cls(path, connected(path))
        try:
            reader._check()
        except BaseException:
            reader.close()
            raise
        return reader

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def rows(self) -> int:
        """How many rows there are. Counts them: this takes a moment for a large file."""
        return self._number("SELECT count(*) FROM row")

    @property
    def first_id(self) -> int:
        """The first row's id; 0 when there is none."""
        return self._number("SELECT coalesce(min(id), 0) FROM row")

    @property
    def last_id(self) -> int:
        """The last row's id; -1 when there is none."""
        return self._number("SELECT coalesce(max(id), -1) FROM row")

    @property
    def meta(self) -> dict[str, str]:
        """What the writer said about itself, as texts."""
        with self._asking():
            found = self._database.execute(
                "SELECT substr(CAST(key AS BLOB), 1, 256), substr(CAST(value AS BLOB), 1, 1024) FROM meta LIMIT ?",
                (_MAX_META,),
            ).fetchall()
        return {text_of(key, 64): text_of(value, 256) for key, value in found}

    def record(self, row_id: int) -> Record:
        """One row.

        Raises:
            CaptureUnreadable: there is no such row, or the file is damaged there.
        """
        found = self.rows_from(row_id, 1)
        if not found or found[0][0] != row_id:
            raise CaptureUnreadable(f"{self.path} has no row {row_id}")
        return found[0][1]

    def records(self, first: int, limit: int) -> list[Record]:
        """Rows from id `first` on. As `rows_from`, without the ids."""
        return [record for _, record in self.rows_from(first, limit)]

    def rows_from(self, first: int, limit: int) -> list[tuple[int, Record]]:
        """Rows with their ids from id `first` on: `limit`, 10,000, or 64 MiB of payload at most.

        Raises:
            CaptureUnreadable: the file is damaged there.
        """
        found: list[tuple[int, Record]] = []
        size = 0
        first, limit = max(-INT64 - 1, min(first, INT64)), max(0, min(limit, MAX_ROWS_AT_ONCE))
        with self._asking():
            fixed = self._database.execute(f"{self._fixed} WHERE id >= ? ORDER BY id LIMIT ?", (first, limit))
            for cells in fixed:
                payload, cut = self._payload(cells[0])
                found.append((cells[0], self._record(cells, payload, cut)))
                size += len(payload)
                if size >= MAX_BYTES_AT_ONCE:
                    break
            fixed.close()
        return found

    # ------------------------------------------------------------ many rows as they are

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns of a row in this file."""
        return frozenset(ROW_COLUMNS[self.version])

    def cells_from(
        self, columns: Sequence[str], first: int, *, limit: int, max_bytes: int
    ) -> list[tuple[Any, ...]]:
        """Unchecked cells of rows from id `first` on: `columns` (names of this file's), payload, type of payload.

        Ends before `max_bytes` are exceeded by more than one row, and before a row that is too large to be read.

        Raises:
            CaptureUnreadable: the file is damaged there.
        """
        found: list[tuple[Any, ...]] = []
        question = f"SELECT {', '.join(columns)}, payload, typeof(payload) FROM row WHERE id >= ? ORDER BY id LIMIT ?"  # noqa: S608
        known: dict[tuple[type, ...], bool] = {}  # the types of a row: does it hold bytes where none belong
        size = 0
        with self._asking(), closing(self._database.cursor()) as rows, suppress(sqlite3.DataError):
            for cells in rows.execute(question, (first, limit)):
                types = tuple(map(type, cells))
                if types not in known:
                    known[types] = bytes in types[:-2] or types[-2] is not bytes
                size += _bytes_in(cells) if known[types] else len(cells[-2])
                if found and size > max_bytes:
                    break
                found.append(cells)
        return found

    def interrupt(self) -> None:
        """From another thread: let the question that is being asked fail now."""
        self._database.interrupt()

    def copy_to(
        self, target: sqlite3.Connection, pages: int, progress: Callable[[int, int, int], None]
    ) -> None:
        """Copy the file as it is now, some pages at a time; what `progress` raises ends it.

        Raises:
            sqlite3.Error: one of the two fails.
        """
        # Within a transaction of reading: else every row that comes in meanwhile would begin the copy anew.
        self._database.execute("BEGIN")
        try:
            self._database.execute("SELECT 1 FROM meta LIMIT 1").fetchall()
            self._database.backup(target, pages=pages, progress=progress)
        finally:
            self._database.execute("ROLLBACK")

    # ------------------------------------------------------------ what else there is

    def comments(self, limit: int = MAX_ADDED) -> Iterator[Comment]:
        """What people said about rows, in the order in which it was said."""
        for cells in self._added("comment", limit):
            row = Cells(cells)
            comment = Comment(
                row.whole(0, INT64, -1), row.real(1, MAX_SECONDS), text_of(cells[2], MAX_COMMENT)
            )
            if not row.is_odd and comment.text:
                yield comment

    def newest_comments(self) -> dict[int, str]:
        """Row numbers and what was said last about them, as many as a ring keeps."""
        newest = deque(self.comments(), maxlen=MAX_COMMENTS)
        return {comment.row_id: comment_line(comment.text) for comment in newest}

    def round_trips(self, limit: int = MAX_ADDED, after: float = -1.0) -> Iterator[RoundTrip]:
        """Round trips measured later than `after` (monotonic s)."""
        for cells in self._added("rtt", limit, after):
            row = Cells(cells)
            at, wall = row.real(0, MAX_SECONDS), row.real(1, MAX_SECONDS)
            sample = RoundTrip(at, wall, self.name(row.whole(2, INT64, 0)), row.real(3, 1e12))
            if not row.is_odd:
                yield sample

    def rosters(self, limit: int = MAX_ADDED, after: float = -1.0) -> Iterator[Roster]:
        """Who was where, later than `after`. `members` is a list of plain values."""
        for cells in self._added("presence", limit, after):
            row, members = Cells(cells), json_of(cells[3])
            at, wall = row.real(0, MAX_SECONDS), row.real(1, MAX_SECONDS)
            roster = Roster(at, wall, self.name(row.whole(2, INT64, 0)), members)
            if not row.is_odd and isinstance(members, list):
                yield roster

    def snapshots(self, limit: int = MAX_ADDED, after: float = -1.0) -> Iterator[Snapshot]:
        """State documents kept later than `after`."""
        for cells in self._added("state", limit, after):
            row, document = Cells(cells), json_of(cells[5])
            at, wall = row.real(0, MAX_SECONDS), row.real(1, MAX_SECONDS)
            hash_ok = None if cells[4] is None else bool(row.whole(4, 1, 0))
            channel, seq = self.name(row.whole(2, INT64, 0)), row.whole(3, INT64, 0)
            if not row.is_odd and document is not NO_JSON:
                yield Snapshot(at, wall, channel, seq, hash_ok, document)

    def _added(self, table: str, limit: int, after: float | None = None) -> Iterator[tuple[Any, ...]]:
        """Rows of a table that version 1 has not, or where nothing wrote. What is odd in them is left out."""
        if self.version < 2:
            return
        where = " WHERE at > ?" if after is not None else ""
        values: list[object] = [] if after is None else [after]
        limit = max(0, min(limit, MAX_ADDED))
        with self._asking():
            # Table and columns are this module's own words.
            question = f"SELECT {_ADDED[table]} FROM {table}{where} ORDER BY rowid LIMIT ?"  # noqa: S608
            found = self._database.execute(question, (*values, limit))
        while True:
            with self._asking():
                cells = found.fetchone()
            if cells is None:
                return
            yield cells

    # ------------------------------------------------------------ one row

    def _payload(self, row_id: int) -> tuple[bytes, int]:
        try:
            found = self._database.execute(
                "SELECT payload, typeof(payload) FROM row WHERE id = ?", (row_id,)
            ).fetchone()
        except sqlite3.DataError:  # larger than anything that is read
            return b"", Flag.MALFORMED | Flag.TRUNCATED
        if found is None or not isinstance(found[0], bytes):
            return b"", Flag.MALFORMED
        return found[0], 0 if found[1] == b"blob" else Flag.MALFORMED

    def _record(self, cells: tuple[Any, ...], payload: bytes, cut: int) -> Record:
        row = Cells(cells)
        record = Record(
            at=row.real(1, MAX_SECONDS),
            wall=row.real(2, MAX_SECONDS),
            conn=self._name(row.whole(3, INT64, 0)),
            dial=row.whole(4, INT32, 0),
            direction=Direction(row.whole(5, max(Direction), Direction.NONE)),
            kind=Kind(row.whole(6, max(Kind), Kind.NOTE)),
            opcode=row.whole(7, 15, 0),
            op=self._name(row.whole(8, INT64, 0)),
            channel=self._name(row.whole(9, INT64, 0)),
            size=row.whole(10, INT64, len(payload)),
            payload=payload,
            code=row.whole(11, INT32, 0),
            rtt_ms=NO_RTT if cells[12] is None else row.real(12, 1e12),
            flags=row.whole(13, INT32, 0),
            seq=NO_SEQ if cells[14] == NO_SEQ else row.whole(14, INT64, NO_SEQ),
            command=NO_COMMAND if cells[15] == NO_COMMAND else row.whole(15, INT64, NO_COMMAND),
            protocol=self._name(row.whole(16, INT64, 0)),
            wire_bytes=0 if cells[17] is None else row.whole(17, INT64, 0),
            fragments=0 if cells[18] is None else row.whole(18, INT32, 0),
        )
        record.flags |= cut | (Flag.MALFORMED if row.is_odd else 0)
        return record

    def name(self, number: int) -> str:
        """The text under a number of the file; empty where there is none.

        Raises:
            CaptureUnreadable: the file is damaged there.
        """
        with self._asking():
            return self._name(number)

    def _name(self, number: int) -> str:
        known = self._names.get(number)
        if known is not None:
            return known
        if len(self._names) >= MAX_NAMES:
            return OTHER
        found = self._database.execute(_NAME, (4 * MAX_CHARACTERS, number)).fetchone()
        text = self._names[number] = text_of(found[0], MAX_CHARACTERS) if found is not None else ""
        return text

    # ------------------------------------------------------------ asking and checking

    def _number(self, question: str) -> int:
        with self._asking():
            return int(self._database.execute(question).fetchone()[0])

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One question, with a limit of time; whatever goes wrong is a sentence."""
        self._until = time.monotonic() + QUERY_LIMIT_S
        try:
            yield
        except (sqlite3.Error, OverflowError, MemoryError, ValueError) as error:
            raise CaptureUnreadable(f"{self.path} is damaged, or no capture: {in_words(error)}") from None

    def _check(self) -> None:
        with self._asking():
            database = self._database
            for pragma in (
                "trusted_schema = OFF",
                "query_only = ON",
                "cell_size_check = ON",
                "mmap_size = 0",
            ):
                database.execute(f"PRAGMA {pragma}")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_PAYLOAD_BYTES + 4_096)
            (application_id,) = database.execute("PRAGMA application_id").fetchone()
            if application_id != APPLICATION_ID:
                raise CaptureUnreadable(f"{self.path} is no capture of Sonde")
            self.version = int(database.execute("PRAGMA user_version").fetchone()[0])
            refuse_version(self.version)
            self._fixed = select_row(self.version, *_FIXED)
            if objects(database) != expected_objects(self.version):
                raise CaptureUnreadable(f"{self.path} holds other tables than a capture has, and is not read")


def _bytes_in(cells: tuple[Any, ...]) -> int:
    return sum(len(cell) for cell in cells if isinstance(cell, bytes))
