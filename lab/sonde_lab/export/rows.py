"""Rows to be exported, from a ring, a capture or another tool's file: in order, a batch at a time.

Owns the batches and their bounds, so that a million rows are never in memory at once. A filter means here what it
means in the table. Refuses to change a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.filter import Filter
from sonde_lab.records import Kind, Record
from sonde_lab.ring import Ring

MAX_BATCH_ROWS: Final = 1_000
MAX_BATCH_BYTES: Final = 8 << 20
_SIEVE_ROWS: Final = 4_000
_SIEVE_BYTES: Final = 64 << 20


class Row(NamedTuple):
    """One row on its way out, under its number where it comes from.

    `is_context` says that the filter does not mean it: it only tells where others belong. `comment` is what a person
    wrote about it.
    """

    row_id: int
    record: Record
    is_masked: bool = False
    is_context: bool = False
    comment: str = ""


class Batch(NamedTuple):
    """Some rows, and how many were looked at to find them."""

    rows: list[Row]
    looked_at: int


@dataclass(slots=True, frozen=True)
class Facts:
    """Where rows come from, for formats that tell it. `url` is empty where nobody knows it."""

    source: str = ""
    url: str = ""
    details: tuple[tuple[str, str], ...] = field(default=())


class RowSource(Protocol):
    """Rows that can be gone through once. `total` is how many will be looked at, 0 when nobody knows."""

    total: int

    def batches(self, handshakes: bool = False) -> Iterator[Batch]:
        """The rows in order; with `handshakes`, those too that the filter does not mean."""
        ...


class StoredRows:
    """Rows that are read from somewhere, those that `wanted` means."""

    def __init__(self, rows: Iterable[Row], wanted: Filter, total: int = 0) -> None:
        self.total = total
        self._rows = rows
        self._wanted = wanted
        self._sieve = Ring(_SIEVE_ROWS, _SIEVE_BYTES)

    def batches(self, handshakes: bool = False) -> Iterator[Batch]:
        """See `RowSource`."""
        for some in _bounded(self._rows):
            means = [True] * len(some) if self._wanted.is_empty else self._meant(some)
            rows = [
                row if meant else row._replace(is_context=True)
                for row, meant in zip(some, means, strict=True)
                if meant or (handshakes and row.record.kind is Kind.HANDSHAKE)
            ]
            yield Batch(rows, len(some))

    def _meant(self, rows: list[Row]) -> list[bool]:
        ids = self._sieve.extend([row.record for row in rows], [row.row_id for row in rows])
        for row_id, row in zip(ids, rows, strict=True):
            if row.comment:
                self._sieve.comment(row_id, row.comment)
        return [bool(each) for each in self._wanted.matching(self._sieve, ids)]


class RingRows:
    """Rows of a ring that may lose its oldest meanwhile; `gone` counts those that were let go before their turn.

    `ids` are the rows that are meant, in order. Belongs to the ring's own thread, as the ring does.
    """

    def __init__(self, ring: Ring, ids: Sequence[int]) -> None:
        self.total = len(ids)
        self.gone = 0
        self._ring = ring
        self._ids = ids

    def batches(self, handshakes: bool = False) -> Iterator[Batch]:
        """See `RowSource`. A batch is a few milliseconds' work."""
        meant = self._ids
        others = _handshakes(self._ring) - set(meant) if handshakes else set()
        for some in _bounded(self._rows(sorted({*meant, *others}) if others else meant), 200, 1 << 20):
            number = self._ring.number
            rows = [row._replace(row_id=number(row.row_id), is_context=row.row_id in others) for row in some]
            yield Batch(rows, len(rows))

    def _rows(self, ids: Sequence[int]) -> Iterator[Row]:
        """The rows that are still here, each under its id."""
        for row_id in ids:
            try:
                yield Row(row_id, self._ring.record(row_id), comment=self._ring.comments.text(row_id))
            except KeyError:
                self.gone += 1


def captured(reader: CaptureReader) -> Iterator[Row]:
    """All rows of a capture, with what was said last about them.

    Raises:
        CaptureUnreadable: the file is damaged somewhere.
    """
    comments = reader.newest_comments()
    first = reader.first_id
    while rows := reader.rows_from(first, MAX_BATCH_ROWS):
        yield from (Row(number, record, comment=comments.get(number, "")) for number, record in rows)
        first = rows[-1][0] + 1


def _handshakes(ring: Ring) -> set[int]:
    kinds = ring.column("kind")
    return {ring.first_id + int(at) for at in (kinds == Kind.HANDSHAKE).nonzero()[0]}


def _bounded(
    rows: Iterable[Row], most: int = MAX_BATCH_ROWS, most_bytes: int = MAX_BATCH_BYTES
) -> Iterator[list[Row]]:
    """Rows in lists of `most` at most; a list ends with the row that passes `most_bytes`."""
    some: list[Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row.record.payload)
        if len(some) >= most or size >= most_bytes:
            yield some
            some, size = [], 0
    if some:
        yield some
