"""Reads a capture in blocks of columns, for a ring that shows a million of its rows within seconds.

Owns the rules for a column of cells, which are those of `CaptureReader` for one row: a cell that is not what it should
be has the same value instead, and its row the same flag. It refuses to believe more than the reader does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.blocks import SEPARATOR, ReadyRows
from sonde_lab.capture.cells import INT32, INT64, MAX_SECONDS
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.taken import Roster, Snapshot
from sonde_lab.records import NO_COMMAND, NO_SEQ, Direction, Flag, Kind, Record

KEPT_BEFORE_S: Final = 60.0  # what is read of other tables than the rows', about where these begin
KEPT_AFTER_S: Final = 60.0
MAX_KEPT: Final = 512  # of each table
LEAST_ROW_BYTES: Final = 16  # of a file; ids that claim more rows than fit are counted instead
_MAX_RTT_MS: Final = 1e12
_NAMED: Final = ("conn", "op", "channel", "protocol")
_MALFORMED: Final = int(Flag.MALFORMED)
_TRUNCATED: Final = int(Flag.TRUNCATED)


class Whole(NamedTuple):
    """An integer up to `most`; `otherwise` for anything else. `least` is -1 where that stands for none.

    `may_lack`: NULL is 0, not odd.
    """

    most: int = INT32
    otherwise: int = 0
    least: int = 0
    may_lack: bool = False


class Real(NamedTuple):
    """A finite number up to `most`, 0 for anything else. `may_lack`: NULL is none, not odd."""

    most: float = MAX_SECONDS
    may_lack: bool = False


# Columns of the table `row` as the ring calls them. A file of an older version lacks some: they are 0 then.
_RULES: Final[dict[str, Whole | Real]] = {
    "at": Real(),
    "wall": Real(),
    "conn": Whole(INT64),
    "dial": Whole(),
    "direction": Whole(max(Direction), Direction.NONE),
    "kind": Whole(max(Kind), Kind.NOTE),
    "opcode": Whole(15),
    "op": Whole(INT64),
    "channel": Whole(INT64),
    "size": Whole(INT64),
    "code": Whole(),
    "rtt_ms": Real(_MAX_RTT_MS, may_lack=True),
    "flags": Whole(),
    "seq": Whole(INT64, NO_SEQ, NO_SEQ),
    "command": Whole(INT64, NO_COMMAND, NO_COMMAND),
    "protocol": Whole(INT64),
    "wire_bytes": Whole(INT64, may_lack=True),
    "fragments": Whole(may_lack=True),
}


class Bounds(NamedTuple):
    """What a ring takes at once, and in all."""

    rows: int
    size_bytes: int
    payload_bytes: int
    capacity: int


class Loader:
    """A capture that is read from its beginning, or where it has more rows than fit, from where the newest begin.

    `total` is how many rows the file has, about; `skipped` how many of them are left out. Everything but `interrupt`
    belongs to one thread.

    Raises:
        CaptureUnreadable: as `CaptureReader.open`.
    """

    def __init__(self, path: Path, bounds: Bounds) -> None:
        self.total = self.skipped = 0
        self._bounds = bounds
        self._reader = CaptureReader.open(path)
        try:
            self._names = [name for name in _RULES if name in self._reader.columns]
            self._next = self._begin()
        except BaseException:
            self._reader.close()
            raise

    def _begin(self) -> int:
        reader = self._reader
        first, last = reader.first_id, reader.last_id
        self.total = max(0, last - first + 1)
        if self.total > _file_bytes(reader.path) // LEAST_ROW_BYTES:
            self.total = reader.rows
            return first
        self.skipped = max(0, self.total - self._bounds.capacity)
        return first + self.skipped

    @property
    def is_open_elsewhere(self) -> bool:
        """Whether somebody still writes it, or has ended without closing it."""
        return os.path.lexists(f"{self._reader.path}-wal")

    def interrupt(self) -> None:
        """From another thread: let what is being read fail now."""
        self._reader.interrupt()

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def next_rows(self) -> ReadyRows | None:
        """The next block; `None` when there are no more rows.

        Raises:
            CaptureUnreadable: the file is damaged there.
        """
        if self._next > INT64:
            return None
        bounds = self._bounds
        found = self._reader.cells_from(
            ("id", *self._names), self._next, limit=bounds.rows, max_bytes=bounds.size_bytes
        )
        if found:
            self._next = found[-1][0] + 1
            return self._ready(found)
        odd = self._reader.rows_from(self._next, 1)  # too large to be read with others, or there is none
        if not odd:
            return None
        self._next = odd[0][0] + 1
        return _of_record(*odd[0], self._bounds.payload_bytes)

    def comments(self) -> list[tuple[int, str]]:
        """The newest comments, each with its row's number, as many as a ring keeps.

        Raises:
            CaptureUnreadable: the file is damaged there.
        """
        return list(self._reader.newest_comments().items())

    def kept(self) -> list[Roster | Snapshot]:
        """Who was where and what the state was, as the file says it of the time about the first row that is read.

        Raises:
            CaptureUnreadable: the file is damaged there.
        """
        first = self._reader.rows_from(self._next, 1)
        if not first:
            return []
        at = first[0][1].at
        after = at - KEPT_BEFORE_S if self.skipped else -1.0
        found: list[Roster | Snapshot] = []
        for values in (self._reader.snapshots(MAX_KEPT, after), self._reader.rosters(MAX_KEPT, after)):
            found += takewhile(lambda each: each.at <= at + KEPT_AFTER_S, values)
        return found

    # ------------------------------------------------------------ a block

    def _ready(self, found: Sequence[tuple[Any, ...]]) -> ReadyRows:
        numbers, *cells, payloads, types = zip(*found, strict=True)
        block = _Columns(len(found))
        kept = block.payloads(payloads, types, self._bounds.payload_bytes)
        for name, column in zip(self._names, cells, strict=True):
            block.take(name, column)
        texts = self._texts(block.made)
        block.made["flags"] |= block.flags
        block.made["flags"][block.is_odd] |= _MALFORMED
        data = bytearray(SEPARATOR.join(kept))
        data += SEPARATOR
        return ReadyRows(block.made, texts, data, np.array(numbers, np.int64))

    def _texts(self, columns: dict[str, NDArray[Any]]) -> tuple[str, ...]:
        """Replace the file's numbers of names by places in a list of texts; the list."""
        there = [name for name in _NAMED if name in columns]
        every = np.concatenate([columns[name] for name in there])
        numbers, places = np.unique(every, return_inverse=True)
        columns.update(zip(there, np.split(places, len(there)), strict=True))
        return tuple(self._reader.name(number) for number in numbers.tolist())


class _Columns:
    """The columns of a block while they are made. `is_odd`: rows with a cell that is not what it should be."""

    def __init__(self, count: int) -> None:
        self.made: dict[str, NDArray[Any]] = {}
        self.is_odd = np.zeros(count, np.bool_)
        self.flags = np.zeros(count, np.int64)
        self._sizes = np.zeros(count, np.int64)  # of the payloads before they are cut

    def payloads(self, cells: Sequence[Any], types: Sequence[Any], limit: int) -> Sequence[bytes]:
        """Payloads as far as they are kept; their places become columns."""
        if set(map(type, cells)) != {bytes}:
            self.flags[[not isinstance(cell, bytes) for cell in cells]] = _MALFORMED
            cells = [cell if isinstance(cell, bytes) else b"" for cell in cells]
        if set(types) != {b"blob"}:
            self.flags[[kind != b"blob" for kind in types]] |= _MALFORMED
        stored = self._sizes = np.fromiter(map(len, cells), np.int64, len(cells))
        if stored.max() > limit:
            self.flags[stored > limit] |= _TRUNCATED
            cells, stored = [cell[:limit] for cell in cells], np.minimum(stored, limit)
        self.made["stored"] = stored
        self.made["offset"] = np.cumsum(stored + len(SEPARATOR)) - stored - len(SEPARATOR)
        return cells

    def take(self, name: str, cells: Sequence[Any]) -> None:
        """Make a column of its cells."""
        rule = _RULES[name]
        self.made[name], odd = _reals(cells, rule) if isinstance(rule, Real) else _wholes(cells, rule)
        self.is_odd |= odd
        if name == "size":
            self.made[name][odd] = self._sizes[odd]


def _wholes(cells: Sequence[Any], rule: Whole) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    if rule.may_lack:
        cells = [0 if cell is None else cell for cell in cells]
    if set(map(type, cells)) != {int}:
        cells = [cell if isinstance(cell, int) else -1 if cell == -1 else -2 for cell in cells]
    values = np.array(cells, np.int64)
    odd = (values < rule.least) | (values > rule.most)
    values[odd] = rule.otherwise
    return values, odd


def _reals(cells: Sequence[Any], rule: Real) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    plain = {int, float, type(None)} if rule.may_lack else {int, float}  # numpy's nan is SQLite's NULL
    if not set(map(type, cells)) <= plain:
        lacking = np.nan if rule.may_lack else -1.0
        cells = [
            cell if isinstance(cell, int | float) else lacking if cell is None else -1.0 for cell in cells
        ]
    values = np.array(cells, np.float64)
    odd = ~((values >= 0) & (values <= rule.most))
    if rule.may_lack:
        odd &= ~np.isnan(values)
    values[odd] = 0.0
    return values, odd


def _of_record(row_id: int, record: Record, limit: int) -> ReadyRows:
    """A row that the reader had to read by itself: its payload was too large, and is left out."""
    payload = record.payload[:limit]
    record.flags |= _TRUNCATED if len(payload) < len(record.payload) else 0
    columns: dict[str, NDArray[Any]] = {
        name: np.array([getattr(record, name)]) for name in _RULES if name not in _NAMED
    }
    for place, name in enumerate(_NAMED):
        columns[name] = np.array([place])
    columns["offset"], columns["stored"] = np.array([0]), np.array([len(payload)])
    texts = tuple(getattr(record, name) for name in _NAMED)
    return ReadyRows(columns, texts, bytearray(payload + SEPARATOR), np.array([row_id]))


def _file_bytes(path: Path) -> int:
    """What a file and its write-ahead log take."""
    return sum(os.path.getsize(each) for each in (path, f"{path}-wal") if os.path.exists(each))
