"""The columnar store of records behind every table: bounded by rows and bytes, evicted in blocks.

Owns numpy columns (one contiguous view per column, in row order) and blocks of payload bytes. A row's id is
its number since the ring was made and is never used again. It refuses to know what rows mean: folding,
filters and summaries sit on top.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.names import Names
from sonde_lab.records import Direction, Flag, Kind, Record

MAX_BLOCK_ROWS: Final = 4_096
MAX_REMEMBERED_TOUCHES: Final = 4_096
MAX_WORDS: Final = 20_000  # summaries by decoders; the oldest go
SEPARATOR: Final = b"\n"  # between payloads, so that a search for a word never matches across two rows

_COLUMNS: Final[dict[str, Any]] = {
    "at": np.float64,
    "wall": np.float64,
    "conn": np.int32,
    "dial": np.int32,
    "direction": np.int8,
    "kind": np.int8,
    "opcode": np.int8,
    "op": np.int32,
    "channel": np.int32,
    "size": np.int64,
    "code": np.int32,
    "rtt_ms": np.float64,
    "flags": np.int32,
    "seq": np.int64,
    "command": np.int64,
    "offset": np.int64,  # of the kept payload in its block
    "stored": np.int64,  # bytes of the payload that are kept
    "protocol": np.int32,
    "wire_bytes": np.int64,
    "fragments": np.int32,
}


class Block(NamedTuple):
    """Payloads of consecutive rows, each followed by a separator."""

    first_id: int
    data: bytearray


class Ring:
    """Rows under ids from `first_id` to `next_id - 1`; the oldest go in blocks when a bound is reached.

    At most `capacity` rows and `max_bytes` of payload are kept. A payload over a quarter of `max_bytes` is cut
    and its row flagged `TRUNCATED`; `size` keeps the true figure.
    """

    def __init__(self, capacity: int = 200_000, max_bytes: int = 256 << 20) -> None:
        if capacity < 1 or max_bytes < 1:
            raise ValueError("a ring needs room for at least one row and one byte")
        self.capacity = capacity
        self.max_bytes = max_bytes
        self.names = Names()
        self.first_id = 0
        self.next_id = 0
        self.evicted = 0
        self.began_at = 0.0  # monotonic s of the first row ever
        self.stored_bytes = 0
        self._block_rows = max(1, min(MAX_BLOCK_ROWS, capacity // 16))
        self._block_bytes = max(1, max_bytes // 16)
        self._max_payload = max(1, max_bytes // 4)
        # Room beyond the capacity lets rows slide: they are moved to the front once per that many appends.
        self._room = capacity + max(self._block_rows, capacity // 4)
        self._columns = {name: np.zeros(self._room, kind) for name, kind in _COLUMNS.items()}
        self._start = 0  # physical index of first_id
        self._blocks: deque[Block] = deque([Block(0, bytearray())])
        self._touched: deque[int] = deque(maxlen=MAX_REMEMBERED_TOUCHES)
        self.touches = 0
        self._words: dict[int, str] = {}

    def __len__(self) -> int:
        return self.next_id - self.first_id

    # ------------------------------------------------------------ writing

    def append(self, record: Record) -> int:
        """Add one row; its id."""
        return self.extend((record,)).start

    def extend(self, records: Sequence[Record]) -> range:
        """Add rows; their ids. More rows than the ring holds leave only the newest."""
        first = self.next_id
        if not first and records:
            self.began_at = records[0].at
        done = 0
        while done < len(records):
            done += self._extend_block(records, done)
        return range(first, self.next_id)

    def _extend_block(self, records: Sequence[Record], begin: int) -> int:
        """Add as many rows from `begin` as fit the newest block; how many."""
        block = self._open_block()
        count, payloads = self._fitting(records, begin, len(block.data), self.next_id - block.first_id)
        self._evict(count, sum(map(len, payloads)))
        batch = records[begin : begin + count]
        where = self._slot(count)
        self._write(batch, payloads, where, len(block.data))
        for payload in payloads:
            block.data.extend(payload)
            block.data.extend(SEPARATOR)
        self.next_id += count
        self.stored_bytes += sum(map(len, payloads))
        return count

    def _open_block(self) -> Block:
        block = self._blocks[-1]
        if self.next_id - block.first_id >= self._block_rows or len(block.data) >= self._block_bytes:
            block = Block(self.next_id, bytearray())
            self._blocks.append(block)
        return block

    def _fitting(
        self, records: Sequence[Record], begin: int, used_bytes: int, used_rows: int
    ) -> tuple[int, list[bytes]]:
        payloads: list[bytes] = []
        limit = self._max_payload
        for index in range(begin, min(len(records), begin + self._block_rows - used_rows)):
            payload = records[index].payload
            payload = payload if len(payload) <= limit else payload[:limit]
            used_bytes += len(payload) + 1
            if payloads and used_bytes > self._block_bytes:
                break
            payloads.append(payload)
        return len(payloads), payloads

    def _evict(self, rows: int, size_bytes: int) -> None:
        while len(self._blocks) > 1 and (
            len(self) + rows > self.capacity or self.stored_bytes + size_bytes > self.max_bytes
        ):
            gone = self._blocks.popleft()
            count = self._blocks[0].first_id - gone.first_id
            self.stored_bytes -= len(gone.data) - count * len(SEPARATOR)
            self.first_id += count
            self.evicted += count
            self._start += count

    def _slot(self, count: int) -> slice:
        """Physical place for `count` more rows."""
        held = len(self)
        if self._start + held + count > self._room:
            for column in self._columns.values():
                column[:held] = column[self._start : self._start + held]
            self._start = 0
        return slice(self._start + held, self._start + held + count)

    def _write(self, batch: Sequence[Record], payloads: list[bytes], where: slice, offset: int) -> None:
        columns, intern = self._columns, self.names.intern
        columns["at"][where] = [r.at for r in batch]
        columns["wall"][where] = [r.wall for r in batch]
        columns["conn"][where] = [intern(r.conn) for r in batch]
        columns["dial"][where] = [r.dial for r in batch]
        columns["direction"][where] = [r.direction for r in batch]
        columns["kind"][where] = [r.kind for r in batch]
        columns["opcode"][where] = [r.opcode for r in batch]
        columns["op"][where] = [intern(r.op) for r in batch]
        columns["channel"][where] = [intern(r.channel) for r in batch]
        columns["size"][where] = [r.size for r in batch]
        columns["code"][where] = [r.code for r in batch]
        columns["rtt_ms"][where] = [r.rtt_ms for r in batch]
        columns["seq"][where] = [r.seq for r in batch]
        columns["command"][where] = [r.command for r in batch]
        columns["protocol"][where] = [intern(r.protocol) for r in batch]
        columns["wire_bytes"][where] = [r.wire_bytes for r in batch]
        columns["fragments"][where] = [r.fragments for r in batch]
        cut = int(Flag.TRUNCATED)
        columns["flags"][where] = [
            r.flags if len(r.payload) == len(p) else r.flags | cut
            for r, p in zip(batch, payloads, strict=True)
        ]
        stored = np.fromiter(map(len, payloads), np.int64, len(payloads))
        columns["stored"][where] = stored
        ends = np.cumsum(stored + len(SEPARATOR))
        columns["offset"][where] = offset + ends - stored - len(SEPARATOR)

    def annotate(self, row_id: int, *, rtt_ms: float | None = None, flags: int = 0) -> None:
        """Say more about a row that is here already; one that has gone is left in peace."""
        if not self.first_id <= row_id < self.next_id:
            return
        index = self._physical(row_id)
        if rtt_ms is not None:
            self._columns["rtt_ms"][index] = rtt_ms
        self._columns["flags"][index] |= flags
        self._touched.append(row_id)
        self.touches += 1

    def retitle(self, row_id: int, op: str, channel: str, words: str) -> None:
        """Say what a row is called and tells, as a decoder found it later; what is empty stays as it was."""
        if not self.first_id <= row_id < self.next_id:
            return
        index = self._physical(row_id)
        for name, text in (("op", op), ("channel", channel)):
            if text:
                self._columns[name][index] = self.names.intern(text)
        self._words[row_id] = words
        while len(self._words) > MAX_WORDS:
            self._words.pop(next(iter(self._words)))
        self._touched.append(row_id)
        self.touches += 1

    def is_retitled(self, row_id: int) -> bool:
        """Whether a decoder has called a row something else, so that filters may see it otherwise."""
        return row_id in self._words

    def words(self, row_id: int) -> str:
        """What a decoder has said that a row tells; empty where none has."""
        return self._words.get(row_id, "")

    def touched_since(self, touches: int) -> list[int]:
        """Ids annotated since `touches` was read; when they are too many to remember, the oldest row as well."""
        missed = self.touches - touches
        if missed <= 0:
            return []
        if missed > len(self._touched):
            return [self.first_id, *self._touched]
        return list(self._touched)[-missed:]

    # ------------------------------------------------------------ reading

    @property
    def ids(self) -> range:
        """Ids of all rows."""
        return range(self.first_id, self.next_id)

    def column(self, name: str, ids: range | None = None) -> NDArray[Any]:
        """A read-only view of one column in row order: of all rows, or of `ids`. Valid until the next write."""
        ids = self.ids if ids is None else ids
        begin = self._start + max(ids.start, self.first_id) - self.first_id
        end = self._start + min(ids.stop, self.next_id) - self.first_id
        view = self._columns[name][begin : max(begin, end)]
        view.flags.writeable = False
        return view

    def blocks(self, begin: int = 0) -> Iterator[Block]:
        """Payload blocks that hold rows from id `begin` on, oldest first."""
        for index, block in enumerate(self._blocks):
            last = index + 1 == len(self._blocks)
            if last or self._blocks[index + 1].first_id > begin:
                yield block

    def payload(self, row_id: int) -> bytes:
        """The kept payload of a row.

        Raises:
            KeyError: the row has been evicted, or is not there yet.
        """
        index = self._physical(row_id)
        block = self._blocks[bisect_right(self._blocks, row_id, key=lambda block: block.first_id) - 1]
        offset = int(self._columns["offset"][index])
        return bytes(block.data[offset : offset + int(self._columns["stored"][index])])

    def value(self, name: str, row_id: int) -> Any:
        """One cell as a plain Python number.

        Raises:
            KeyError: as `payload`.
        """
        return self._columns[name][self._physical(row_id)].item()

    def text(self, name: str, row_id: int) -> str:
        """One cell of `conn`, `op`, `channel` or `protocol`.

        Raises:
            KeyError: as `payload`.
        """
        return self.names.text(self.value(name, row_id))

    def record(self, row_id: int) -> Record:
        """A row as a record again.

        Raises:
            KeyError: as `payload`.
        """
        cell = self.value
        return Record(
            at=cell("at", row_id),
            wall=cell("wall", row_id),
            conn=self.text("conn", row_id),
            dial=cell("dial", row_id),
            direction=Direction(cell("direction", row_id)),
            kind=Kind(cell("kind", row_id)),
            opcode=cell("opcode", row_id),
            op=self.text("op", row_id),
            channel=self.text("channel", row_id),
            size=cell("size", row_id),
            payload=self.payload(row_id),
            code=cell("code", row_id),
            rtt_ms=cell("rtt_ms", row_id),
            flags=cell("flags", row_id),
            seq=cell("seq", row_id),
            command=cell("command", row_id),
            protocol=self.text("protocol", row_id),
            wire_bytes=cell("wire_bytes", row_id),
            fragments=cell("fragments", row_id),
        )

    def _physical(self, row_id: int) -> int:
        if not self.first_id <= row_id < self.next_id:
            raise KeyError(row_id)
        return self._start + row_id - self.first_id
