"""The columnar store of records behind every table: bounded by rows and bytes, evicted in blocks.

Owns columns of cells (one contiguous view per column, in row order) and blocks of payload bytes, the older of them on
disk where there is a spool. A row's id is its number since the ring was made and is never used again. It refuses to
know what rows mean: folding, filters and summaries sit on top.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sonde_lab.blocks import SEPARATOR, Block, ReadyRows
from sonde_lab.cells import NAMED, Cells, cells_of
from sonde_lab.comments import Comments
from sonde_lab.names import Names
from sonde_lab.numbering import Numbering
from sonde_lab.records import Direction, Kind, Record
from sonde_lab.spool import Spool

MAX_BLOCK_ROWS: Final = 4_096
MAX_REMEMBERED_TOUCHES: Final = 4_096
MAX_WORDS: Final = 20_000  # summaries by decoders; the oldest go


class Ring:
    """Rows under ids from `first_id` to `next_id - 1`; the oldest go in blocks when a bound is reached.

    At most `capacity` rows and `max_bytes` of payload are kept. With a `spool`, at most `memory_bytes` of that are in
    memory; while the disk is behind or fails, twice as much, and the oldest rows go sooner. A payload over a quarter
    of what the memory may hold is cut and its row flagged `TRUNCATED`; `size` keeps the true figure.
    """

    def __init__(
        self,
        capacity: int = 200_000,
        max_bytes: int = 256 << 20,
        memory_bytes: int = 64 << 20,
        spool: Spool | None = None,
    ) -> None:
        if capacity < 1 or max_bytes < 1 or memory_bytes < 1:
            raise ValueError("a ring needs room for at least one row and one byte")
        self.capacity = capacity
        self.max_bytes = max_bytes
        self.spool = spool
        self.names = Names()
        self.comments = Comments()
        self.first_id = 0
        self.next_id = 0
        self.evicted = 0
        self.began_at = 0.0  # monotonic s of the first row of all, or since `clear`
        self.stored_bytes = 0
        self._memory_bytes = max_bytes if spool is None else min(memory_bytes, max_bytes)
        self.block_rows = max(1, min(MAX_BLOCK_ROWS, capacity // 16))
        self.block_bytes = max(1, self._memory_bytes // 16)
        self.max_payload = max(1, self._memory_bytes // 4)
        self._cells = Cells(capacity, max(self.block_rows, capacity // 8))
        self._columns, self._fronts = self._cells.by_name, self._cells.fronts
        self._blocks: deque[Block] = deque([Block(0)])
        self._touched: deque[int] = deque(maxlen=MAX_REMEMBERED_TOUCHES)
        self._numbering = Numbering()
        self.touches = 0
        self.releases = 0  # how often a row was freed of a flag or a comment, and may fold again
        self._words: dict[int, str] = {}
        self.clears = 0
        self.before_eviction: list[
            Callable[[int], None]
        ] = []  # told the first id that stays, while all is there

    def __len__(self) -> int:
        return self.next_id - self.first_id

    # ------------------------------------------------------------ writing

    def append(self, record: Record) -> int:
        """Add one row; its id."""
        return self.extend((record,)).start

    def extend(self, records: Sequence[Record], numbers: Sequence[int] | None = None) -> range:
        """Add rows; their ids. More rows than the ring holds leave only the newest.

        `numbers`: what rows are called where they come from, ascending; else they go on from the row before.
        """
        first = self.next_id
        if numbers is not None and records:
            self._numbering.take(np.array(numbers, np.int64), self.next_id, self.first_id)
        if not len(self) and records:
            self.began_at = records[0].at
        done = 0
        while done < len(records):
            done += self._extend_block(records, done)
        return range(first, self.next_id)

    def extend_ready(self, rows: ReadyRows) -> range:
        """Add rows whose columns are made already, as a block of their own; their ids.

        There are at most `block_rows` of them, with `block_bytes` of payload or a single one of `max_payload`.
        """
        count = len(rows)
        if not len(self):
            self.began_at = float(rows.columns["at"][0])
        self._numbering.take(rows.numbers, self.next_id, self.first_id)
        stored = len(rows.data) - count * len(SEPARATOR)
        self._begin_block(Block(self.next_id, rows.data))
        self._evict(count, stored)
        numbers = np.array([self.names.intern(text) for text in rows.texts], np.int32)
        for name, column in self._columns.items():
            cells = rows.columns.get(name, 0)
            slot = self._cells.slot(name, self.first_id, self.next_id, count)
            column[slot] = numbers[cells] if name in NAMED else cells
        self.next_id += count
        self.stored_bytes += stored
        return range(self.next_id - count, self.next_id)

    def _extend_block(self, records: Sequence[Record], begin: int) -> int:
        """Add as many rows from `begin` as fit the newest block; how many."""
        block = self._open_block()
        count, payloads = self._fitting(records, begin, block.size, self.next_id - block.first_id)
        self._evict(count, sum(map(len, payloads)))
        self._cells.write(
            cells_of(records[begin : begin + count], payloads, block.size, self.names.intern),
            self.first_id,
            self.next_id,
            count,
        )
        block.add(payloads)
        self.next_id += count
        self.stored_bytes += sum(map(len, payloads))
        return count

    def _open_block(self) -> Block:
        block = self._blocks[-1]
        if self.next_id - block.first_id >= self.block_rows or block.size >= self.block_bytes:
            self._begin_block(Block(self.next_id))
        return self._blocks[-1]

    def _begin_block(self, block: Block) -> None:
        if self._blocks[-1].first_id == block.first_id:  # it is empty
            self._blocks.pop()
        self._blocks.append(block)
        if self.spool is not None:
            self._keep_memory_free(self.spool)

    def _keep_memory_free(self, spool: Spool) -> None:
        """Let the oldest payloads in memory go to disk, or out of the ring when the disk does not take them."""
        held = sum(block.held_bytes for block in self._blocks)
        staying = held - sum(block.held_bytes for block in self._blocks if block.is_offered)
        for block in list(self._blocks)[:-1]:
            if staying <= self._memory_bytes // 2:
                break
            if block.held_bytes and not block.is_offered:
                if not block.offer(spool):
                    break
                staying -= block.size
        # With a full disk two go for each new one, so that memory and disk get freer.
        over = 2 if spool.is_failing and held > self._memory_bytes else 0
        while len(self._blocks) > 1 and (over > 0 or held > 2 * self._memory_bytes):
            held -= self._drop_oldest().held_bytes
            over -= 1

    def _fitting(
        self, records: Sequence[Record], begin: int, used_bytes: int, used_rows: int
    ) -> tuple[int, list[bytes]]:
        payloads: list[bytes] = []
        limit = self.max_payload
        for index in range(begin, min(len(records), begin + self.block_rows - used_rows)):
            payload = records[index].payload
            payload = payload if len(payload) <= limit else payload[:limit]
            used_bytes += len(payload) + 1
            if payloads and used_bytes > self.block_bytes:
                break
            payloads.append(payload)
        return len(payloads), payloads

    def _evict(self, rows: int, size_bytes: int) -> None:
        while len(self._blocks) > 1 and (
            len(self) + rows > self.capacity or self.stored_bytes + size_bytes > self.max_bytes
        ):
            self._drop_oldest()

    def _drop_oldest(self) -> Block:
        for tell in self.before_eviction:
            tell(self._blocks[1].first_id)
        gone = self._blocks.popleft()
        count = self._blocks[0].first_id - gone.first_id
        self.stored_bytes -= gone.size - count * len(SEPARATOR)
        self.first_id += count
        self.evicted += count
        self.comments.forget_before(self.first_id)
        return gone

    def number(self, row_id: int) -> int:
        """What a row is called where it comes from, from 0: its id, unless it came with a number."""
        return self._numbering.number(row_id)

    def label(self, row_id: int) -> int:
        """What a person calls a row: its number, counted from 1."""
        return self.number(row_id) + 1

    def numbers(self, ids: range) -> NDArray[np.int64]:
        """The numbers of rows `ids`, which ascend with them."""
        return self._numbering.numbers(ids)

    def id_of(self, number: int) -> int | None:
        """The id of the row that bears a number; `None` where it is not here."""
        return self._numbering.id_of(number, self.ids)

    def clear(self) -> None:
        """Let all rows go. Ids go on; the time begins anew."""
        self.clears += 1
        self.first_id = self.next_id
        self.evicted = self.stored_bytes = 0
        self._blocks = deque([Block(self.next_id)])
        self._numbering.clear()
        self._words = {}
        self.comments.forget_before(self.first_id)

    def close(self) -> None:
        """Free the disk: rows whose payload is there leave the ring, those in memory stay."""
        self.before_eviction.clear()  # there is nothing to be read any more
        if self.spool is not None:
            self.spool.close()
        while any(block.is_on_disk for block in self._blocks):
            self._drop_oldest()

    def annotate(self, row_id: int, *, rtt_ms: float | None = None, flags: int = 0, without: int = 0) -> None:
        """Say more about a row that is here already; one that has gone is left in peace. `without`: flags taken off."""
        if not self.first_id <= row_id < self.next_id:
            return
        if rtt_ms is not None:
            self._columns["rtt_ms"][row_id - self._fronts["rtt_ms"]] = rtt_ms
        place = row_id - self._fronts["flags"]
        self._columns["flags"][place] |= flags
        if without:
            self._columns["flags"][place] &= ~without
            self.releases += 1
        self._touch(row_id)

    def comment(self, row_id: int, text: str) -> None:
        """Write about a row that is here; an empty text takes it back."""
        if self.first_id <= row_id < self.next_id:
            self.comments.put(row_id, text)
            self.releases += not self.comments.text(row_id)
            self._touch(row_id)

    def _touch(self, row_id: int) -> None:
        self._touched.append(row_id)
        self.touches += 1

    def retitle(self, row_id: int, op: str, channel: str, words: str) -> None:
        """Say what a row is called and tells, as a decoder found it later; what is empty stays as it was."""
        if not self.first_id <= row_id < self.next_id:
            return
        for name, text in (("op", op), ("channel", channel)):
            if text:
                self._columns[name][row_id - self._fronts[name]] = self.names.intern(text)
        self._words[row_id] = words
        while len(self._words) > MAX_WORDS:
            self._words.pop(next(iter(self._words)))
        self._touch(row_id)

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

    @property
    def next_first_id(self) -> int:
        """The first id once the next block is evicted; `next_id` while there is one block only."""
        return self._blocks[1].first_id if len(self._blocks) > 1 else self.next_id

    def column(self, name: str, ids: range | None = None) -> NDArray[Any]:
        """A read-only view of one column in row order: of all rows, or of `ids`. Valid until the next write."""
        ids = self.ids if ids is None else ids
        front = self._fronts[name]
        begin = max(ids.start, self.first_id) - front
        end = min(ids.stop, self.next_id) - front
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
        offset, stored = self.value("offset", row_id), self.value("stored", row_id)
        block = self._blocks[bisect_right(self._blocks, row_id, key=lambda block: block.first_id) - 1]
        return block.part(offset, offset + stored)

    def payloads(self, ids: NDArray[np.int64]) -> list[bytes]:
        """The kept payloads of rows that are here, `ids` ascending: neighbours are read in one go."""
        places = ids - self.first_id
        offsets, stored = self.column("offset")[places], self.column("stored")[places]
        firsts = [block.first_id for block in self._blocks]
        cuts = np.searchsorted(ids, firsts[1:]).tolist()
        found: list[bytes] = []
        for block, begin, end in zip(self._blocks, [0, *cuts], [*cuts, len(ids)], strict=True):
            if begin < end:
                found += block.parts(offsets[begin:end].tolist(), stored[begin:end].tolist())
        return found

    def value(self, name: str, row_id: int) -> Any:
        """One cell as a plain Python number.

        Raises:
            KeyError: as `payload`.
        """
        if not self.first_id <= row_id < self.next_id:
            raise KeyError(row_id)
        return self._columns[name][row_id - self._fronts[name]].item()

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
