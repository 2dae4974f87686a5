"""What a capture is given, as plain values, and how each of them is written into the file.

Owns the statements that write and the limits of a snapshot. Everything in here may come from a peer: what cannot be
written as it is, is written as far as it can be, and what is too large is left out and counted.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from sonde_lab.capture.schema import (
    MAX_PAYLOAD_BYTES,
    MAX_SNAPSHOT_BYTES,
    ROW_COLUMNS,
    VERSION,
)
from sonde_lab.comments import MAX_CHARACTERS
from sonde_lab.names import Names
from sonde_lab.records import Flag, Record

_INT64: Final = (1 << 63) - 1
_COLUMNS: Final = ROW_COLUMNS[VERSION]
_INSERT: Final = f"INSERT INTO row ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_ANNOTATE: Final = "UPDATE row SET rtt_ms = coalesce(?, rtt_ms), flags = (flags | ?) & ~? WHERE id = ?"


class Rows(NamedTuple):
    """Rows under ids from `first_id` on; `size` is what they take in memory, about."""

    first_id: int
    records: Sequence[Record]
    size: int


class Annotation(NamedTuple):
    """More about a row that was given before. `without`: flags taken off."""

    rtt_ms: float | None
    flags: int
    row_id: int
    without: int = 0


class Comment(NamedTuple):
    """What a person says about a row; an empty text takes it away."""

    row_id: int
    wall: float
    text: str


class RoundTrip(NamedTuple):
    """One measured round trip of a client."""

    at: float
    wall: float
    conn: str
    rtt_ms: float


class Roster(NamedTuple):
    """Who is in a channel: values that msgspec can write."""

    at: float
    wall: float
    channel: str
    members: Any


class Snapshot(NamedTuple):
    """A channel's document at `seq`. Nobody changes the document after it was given."""

    at: float
    wall: float
    channel: str
    seq: int
    hash_ok: bool | None
    document: Any


Taken = Rows | Annotation | Comment | RoundTrip | Roster | Snapshot


class Written(NamedTuple):
    """What one item added to the file."""

    rows: int = 0
    payload_bytes: int = 0
    snapshots_left_out: int = 0


class ItemWriter:
    """Writes items into an open capture, in the transaction that whoever calls has begun."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._names = Names()
        self._written_names = 0

    def write(self, item: Taken) -> Written:
        """Write one item.

        Raises:
            sqlite3.Error, OverflowError: the file or the disk does not take it.
        """
        match item:
            case Rows():
                return self._rows(item)
            case Annotation(rtt_ms, flags, row_id, without):
                told = (_rtt(rtt_ms), _whole(flags), _whole(without), _whole(row_id))
                self._database.execute(_ANNOTATE, told)
            case Comment():
                self._comment(item)
            case RoundTrip(at, wall, conn, rtt_ms):
                self._insert("rtt", _real(at), _real(wall), self._name(conn), _rtt(rtt_ms))
            case Roster(at, wall, channel, members):
                return self._snapshot("presence", members, _real(at), _real(wall), self._name(channel))
            case Snapshot(at, wall, channel, seq, hash_ok, document):
                cells = (_real(at), _real(wall), self._name(channel), _whole(seq), hash_ok)
                return self._snapshot("state", document, *cells)
        return Written()

    def _rows(self, rows: Rows) -> Written:
        cells = [self._cells(rows.first_id + index, record) for index, record in enumerate(rows.records)]
        self._write_names()
        self._database.executemany(_INSERT, cells)
        return Written(len(cells), sum(len(row[-1]) for row in cells))

    def _cells(self, row_id: int, record: Record) -> tuple[Any, ...]:
        payload, flags = record.payload, int(record.flags)
        if len(payload) > MAX_PAYLOAD_BYTES:
            payload, flags = payload[:MAX_PAYLOAD_BYTES], flags | Flag.TRUNCATED
        return (
            row_id, _real(record.at), _real(record.wall), self._name(record.conn), _whole(record.dial),
            int(record.direction), int(record.kind), _whole(record.opcode), self._name(record.op),
            self._name(record.channel), _whole(record.size), _whole(record.code), _rtt(record.rtt_ms),
            _whole(flags), _whole(record.seq), _whole(record.command), self._name(record.protocol),
            _whole(record.wire_bytes), _whole(record.fragments), payload,
        )  # fmt: skip

    def _comment(self, comment: Comment) -> None:
        row_id, text = _whole(comment.row_id), _text(comment.text[:MAX_CHARACTERS])
        self._database.execute("DELETE FROM comment WHERE row = ?", (row_id,))
        if text:
            self._insert("comment", row_id, _real(comment.wall), text)

    def _snapshot(self, table: str, value: Any, *cells: object) -> Written:
        try:
            text = msgspec.json.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return Written(snapshots_left_out=1)
        if len(text) > MAX_SNAPSHOT_BYTES:
            return Written(snapshots_left_out=1)
        self._insert(table, *cells, text.decode())
        return Written()

    def _insert(self, table: str, *cells: object) -> None:
        self._write_names()
        places = ", ".join("?" * len(cells))
        self._database.execute(f"INSERT INTO {table} VALUES ({places})", cells)  # noqa: S608

    def _name(self, text: str) -> int:
        return self._names.intern(_text(text))

    def _write_names(self) -> None:
        new = range(self._written_names, len(self._names))
        if new:
            texts = [(number, self._names.text(number)) for number in new]
            self._database.executemany("INSERT INTO names VALUES (?, ?)", texts)
            self._written_names = new.stop


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _real(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0


def _rtt(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _whole(value: int) -> int:
    return max(-_INT64, min(int(value), _INT64))
