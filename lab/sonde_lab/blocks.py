"""Payloads of consecutive rows in one piece, in memory or on disk: what a ring is made of besides its columns.

Owns one block. It refuses to fail a reader: what the disk does not give back reads as zero bytes, and is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sonde_lab.spool import Place, Spool

MAX_BETWEEN: Final = 64 << 10  # bytes that are read for nothing rather than to ask twice
SEPARATOR: Final = b"\n"  # between payloads, so that a search for a word never matches across two rows


@dataclass(slots=True, frozen=True)
class ReadyRows:
    """Rows made elsewhere. `data` has their payloads, each followed by a separator.

    Columns are those of the ring; one that is missing is 0. Names are places in `texts`. `numbers` is what the rows
    are called where they come from, rising.
    """

    columns: dict[str, NDArray[Any]]
    texts: tuple[str, ...]
    data: bytearray
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)


class Block:
    """Payloads of the rows from `first_id` on, each followed by a separator."""

    __slots__ = ("_data", "_place", "first_id", "is_offered", "size")

    def __init__(self, first_id: int, data: bytearray | None = None) -> None:
        self.first_id = first_id
        self.is_offered = False  # the disk is to take it, or has
        self._data: bytearray | None = bytearray() if data is None else data
        self._place: Place | None = None
        self.size = len(self._data or b"")

    @property
    def data(self) -> bytearray | None:
        """Its bytes while they are in memory."""
        return self._data

    @property
    def held_bytes(self) -> int:
        """What it takes of the memory."""
        return 0 if self._data is None else self.size

    @property
    def is_on_disk(self) -> bool:
        """Whether the memory no longer has it."""
        return self._data is None

    def add(self, payloads: Sequence[bytes]) -> None:
        """Take payloads in. Only the newest block grows, and it is never on disk."""
        if self._data is not None:
            for payload in payloads:
                self._data += payload
                self._data += SEPARATOR
            self.size = len(self._data)

    def part(self, start: int, stop: int) -> bytes:
        """Some of its bytes, from wherever they are."""
        data, place = self._data, self._place  # in this order: the writer's thread sets them in the other
        if data is not None:
            return bytes(memoryview(data)[start:stop])
        return b"" if place is None else place.read(start, stop - start)

    def parts(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Several of its payloads, in order: in one go where they lie close together."""
        start, stop = offsets[0], offsets[-1] + sizes[-1]
        if stop - start > 4 * sum(sizes) + MAX_BETWEEN:
            return [self.part(offset, offset + size) for offset, size in zip(offsets, sizes, strict=True)]
        whole = self.part(start, stop)
        return [whole[o - start : o - start + size] for o, size in zip(offsets, sizes, strict=True)]

    def offer(self, spool: Spool) -> bool:
        """Have it taken to disk; False when the disk is behind."""
        self.is_offered = True  # before the thread can say otherwise
        if spool.take(self):
            return True
        self.is_offered = False
        return False

    def settle(self, place: Place | None) -> None:
        """From the writer's thread: it is on disk now, or the disk did not take it."""
        if place is None:
            self.is_offered = False
        else:
            self._place = place
            self._data = None
